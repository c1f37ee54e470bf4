//! What providers keep of a database by themselves, by plan.

use super::Fact;

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plan {
    pub provider: &'static str,
    /// Its name in lower case.
    pub name: &'static str,
    /// Days of daily backups that a customer can restore.
    pub daily: f64,
    /// Days of recovery to any moment.
    pub any_moment: f64,
    /// Recovery to any moment has to be bought in addition.
    pub extra: bool,
}

const fn plan(provider: &'static str, name: &'static str, daily: f64, any_moment: f64, extra: bool) -> Plan {
    Plan { provider, name, daily, any_moment, extra }
}

const HOURS_6: f64 = 0.25;

/// Supabase: <https://supabase.com/docs/guides/platform/backups>, Neon:
/// <https://neon.com/docs/introduction/history-window>.
pub const PLANS: Fact<&[Plan]> = Fact {
    value: &[
        plan("Supabase", "free", 0.0, 0.0, true),
        plan("Supabase", "pro", 7.0, 28.0, true),
        plan("Supabase", "team", 14.0, 28.0, true),
        plan("Supabase", "enterprise", 30.0, 28.0, true),
        plan("Neon", "free", HOURS_6, HOURS_6, false),
        plan("Neon", "launch", 7.0, 7.0, false),
        plan("Neon", "scale", 30.0, 30.0, false),
    ],
    as_of: "2026-11",
    source: "https://supabase.com/docs/guides/platform/backups",
};

/// Where a provider says it.
pub fn source(provider: &str) -> &'static str {
    match provider {
        "Neon" => "https://neon.com/docs/introduction/history-window",
        _ => PLANS.source,
    }
}

/// The plans of a provider.
pub fn of(provider: &str) -> impl Iterator<Item = Plan> {
    PLANS.value.iter().filter(move |plan| plan.provider == provider).copied()
}
