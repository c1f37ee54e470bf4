use super::*;
use crate::parse::shell;
use crate::parse::yaml;

const WORKFLOW: &str = r#"name: Database backup
on:
  schedule:
    - cron: '0 2 * * *' # daily
    - cron: "0 3 * * 0"
  workflow_dispatch:
permissions: {contents: read}
env: {BUCKET: s3://b}
defaults:
  run:
    shell: bash
jobs:
  backup:
    runs-on: ubuntu-latest
    timeout-minutes: 30
    env:
      REGION: eu-west-1
    services:
      postgres:
        image: postgres:17
        env: {POSTGRES_PASSWORD: postgres}
      redis: redis:7
    steps:
      - uses: Actions/Checkout@v4.1.0
      - uses: acme/x@0123456789abcdef0123456789abcdef01234567
      - name: dump
        if: github.event_name == 'schedule'
        env:
          URL: ${{ secrets.URL }}
        run: |
          pg_dump "$URL" | gzip > a.gz

          aws s3 cp a.gz "$BUCKET/a.gz"
      - run: ls
        shell: sh
  other:
    needs: [backup, missing]
    uses: ./.github/workflows/x.yml
    secrets: inherit
  last:
    needs: backup
    runs-on: [self-hosted, windows]
    steps:
      - run: Get-Date
        shell: pwsh
"#;

#[test]
fn a_workflow_is_seen_through() {
    let documents = yaml::parse(WORKFLOW).unwrap();
    let workflow = view(&documents[0]).unwrap();
    let names: Vec<_> = workflow.triggers.iter().map(|trigger| trigger.name).collect();
    assert_eq!(names, ["schedule", "workflow_dispatch"]);
    let crons: Vec<_> = workflow.crons.iter().map(|cron| &WORKFLOW[cron.span.start..cron.span.end]).collect();
    assert_eq!(crons, ["'0 2 * * *'", "\"0 3 * * 0\""]);
    assert_eq!(workflow.permissions.unwrap().value.get("contents").unwrap().text(), Some("read"));

    let backup = workflow.job("backup").unwrap();
    assert_eq!(backup.timeout.unwrap().text(), Some("30"));
    let images: Vec<_> =
        backup.services.iter().map(|service| (service.name, service.image.unwrap().text())).collect();
    assert_eq!(images, [("postgres", Some("postgres:17")), ("redis", Some("redis:7"))]);

    let steps: Vec<_> = backup.steps().collect();
    let [checkout, pinned, dump, listing] = steps.as_slice() else { panic!("four steps") };
    let uses = checkout.uses.unwrap();
    assert!(uses.is("actions/checkout") && !uses.is_pinned() && uses.major() == Some(4));
    assert!(pinned.uses.unwrap().is_pinned());
    assert_eq!(dump.condition.unwrap().text(), Some("github.event_name == 'schedule'"));
    let environment: Vec<_> =
        workflow.environment_of(&backup, dump).iter().map(|v| (v.name, v.value())).collect();
    assert_eq!(
        environment,
        [("BUCKET", Some("s3://b")), ("REGION", Some("eu-west-1")), ("URL", Some("${{ secrets.URL }}"))]
    );
    assert!(workflow.flags_of(&backup, dump).unwrap().pipefail);
    assert!(!workflow.flags_of(&backup, listing).unwrap().pipefail);

    let other = workflow.job("other").unwrap();
    assert_eq!(other.needs.iter().filter_map(|need| need.text()).collect::<Vec<_>>(), ["backup", "missing"]);
    assert!(other.uses.unwrap().is_local());
    let last = workflow.job("last").unwrap();
    assert_eq!(last.needs.len(), 1);
    assert_eq!(workflow.flags_of(&last, &last.step_by_index(0).unwrap()), None);
}

#[test]
fn a_script_is_found_at_its_line() {
    let documents = yaml::parse(WORKFLOW).unwrap();
    let workflow = view(&documents[0]).unwrap();
    let run = workflow.job_by_index(0).unwrap().step_by_index(2).unwrap().run.unwrap();
    let script = shell::parse_in(&run.source(WORKFLOW));
    let slices: Vec<_> = script.body.iter().map(|one| &WORKFLOW[one.span.start..one.span.end]).collect();
    assert_eq!(slices, ["pg_dump \"$URL\" | gzip > a.gz", "aws s3 cp a.gz \"$BUCKET/a.gz\""]);
}

#[test]
fn the_short_forms_are_read_as_well() {
    let names = |text: &str| {
        let documents = yaml::parse(text).unwrap();
        let workflow = view(&documents[0]).unwrap();
        workflow.triggers.iter().map(|trigger| trigger.name.to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names("on: push\njobs: {a: {}}"), ["push"]);
    assert_eq!(names("on: [push, schedule]\njobs: {a: {}}"), ["push", "schedule"]);
    assert!(names("jobs: {a: {steps: x}, b: 1}").is_empty());
}

#[test]
fn what_is_no_workflow_has_no_view() {
    for text in ["a: 1", "jobs: []", "- jobs", "jobs:", "x"] {
        assert!(view(&yaml::parse(text).unwrap()[0]).is_none(), "{text}");
    }
    let action = yaml::parse("runs: {using: composite, steps: [{run: ls, shell: bash}]}").unwrap();
    assert_eq!(composite_steps(&action[0]).len(), 1);
    assert!(composite_steps(&yaml::parse("runs: {using: node20}").unwrap()[0]).is_empty());
}
