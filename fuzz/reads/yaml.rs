//! YAML and JSON, every typed view over them, and the text of each scalar.

use backstop_policy::parse::{bucket_policy, compose, lifecycle, workflow, yaml};

pub fn read(text: &str) {
    let Ok(documents) = yaml::parse(text) else { return };
    for root in &documents {
        root.scalars(&mut |node, _| {
            let source = node.source(text);
            assert_eq!(Some(source.text()), node.text());
            for (at, found) in source.text().char_indices() {
                let span = source.span(at, at + found.len_utf8());
                assert!(text.get(span.start..span.end).is_some(), "{span:?}");
            }
        });
        if let Some(workflow) = workflow::view(root) {
            for job in workflow.jobs() {
                for step in job.steps() {
                    let _ = workflow.flags_of(&job, &step);
                }
            }
        }
        for service in compose::view(root).unwrap_or_default() {
            let _ = service.script(text);
        }
        let _ = lifecycle::view(root);
        let _ = bucket_policy::view(root);
    }
}
