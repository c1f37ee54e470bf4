//! Settings, commands and calendars of a unit, and that all of it lies in the text.

use backstop_policy::parse::systemd;

pub fn read(text: &str) {
    let unit = systemd::parse(text);
    let _ = unit.environment();
    for setting in &unit.settings {
        assert!(text.get(setting.span.start..setting.span.end).is_some(), "{:?}", setting.span);
        let _ = setting.command();
        let _ = systemd::calendar(setting.value.text());
    }
}
