use super::*;
use proptest::prelude::*;

fn outline(text: &str) -> String {
    let markdown = parse(text);
    let slice = |span: Span| &text[span.start..span.end];
    let line = |item: &Item| {
        let under = item.heading.map_or("-", |index| markdown.headings[index].text.as_str());
        let what = match &item.kind {
            Kind::Heading(index) => {
                let heading = &markdown.headings[*index];
                return format!("{} {}", "#".repeat(heading.level), heading.text);
            }
            Kind::Fence(fence) => {
                let open = if fence.closed { "" } else { " open" };
                format!("fence {}{open} {:?}", fence.language(), fence.source(text).text())
            }
            Kind::Prose { text, item: None } => format!("prose {:?}", slice(*text)),
            Kind::Prose { text, item: Some(item) } => {
                let done = item.done.map(|done| if done { " done" } else { " to do" }).unwrap_or_default();
                let ordered = if item.ordered { " ordered" } else { "" };
                format!("item {}{ordered}{done} {:?}", item.indent, slice(*text))
            }
            Kind::Row(row) => {
                let cells: Vec<_> = row.cells.iter().map(|cell| cell.text.as_str()).collect();
                let header = if row.header { " header" } else { "" };
                format!("row {}{header} {}", row.table, cells.join(" / "))
            }
            Kind::Comment { text } => format!("comment {:?}", slice(*text)),
        };
        format!("  {what} ({under})")
    };
    markdown.items.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn headings_prose_and_lists() {
    insta::assert_snapshot!(outline(concat!(
        "---\ntitle: x\n---\n",
        "Intro\n=====\n",
        "Some *text*\nmore\n---\n",
        "## Retention ##\n",
        "- **Daily**: 7 days\n  - nested\n1. first\n- [ ] later\n- [x] now\n",
        "### C#\n> quoted text\n\n---\n#hashtag\n",
        "# Next\nend",
    )), @r##"
    # Intro
      prose "Some *text*" (Intro)
    ## more
    ## Retention
      item 0 "**Daily**: 7 days" (Retention)
      item 2 "nested" (Retention)
      item 0 ordered "first" (Retention)
      item 0 to do "later" (Retention)
      item 0 done "now" (Retention)
    ### C#
      prose "quoted text" (C#)
      prose "---" (C#)
      prose "#hashtag" (C#)
    # Next
      prose "end" (Next)
    "##);
    assert_eq!(parse("# a\n## b\n### c\n## d\n").headings[3].parent, Some(0));
}

#[test]
fn fences_lose_the_indentation_of_their_container() {
    insta::assert_snapshot!(outline(concat!(
        "```bash\nls\n  pwd\n```\n",
        "1. step\n   ```sh title=x\n   cat <<EOF\n   x\n  y\n   EOF\n   ```\n",
        "> ~~~yaml\n> a: 1\n>   b\n> ~~~\n",
        "- ```sql\n  SELECT 1;\n  ```\n",
        "````markdown\n```bash\nno block\n```\n````\n",
        "``` `code` ``` in a line\n",
        "```\n```\n",
        "```{.JSON}\n{}\n    ```\n",
    )), @r#"
      fence bash "ls\n  pwd\n" (-)
      item 0 ordered "step" (-)
      fence sh "cat <<EOF\nx\ny\nEOF\n" (-)
      fence yaml "a: 1\n  b\n" (-)
      fence sql "SELECT 1;\n" (-)
      fence markdown "```bash\nno block\n```\n" (-)
      prose "``` `code` ``` in a line" (-)
      fence  "" (-)
      fence json open "{}\n    ```\n" (-)
    "#);
}

#[test]
fn spans_of_a_fence_are_those_of_the_document() {
    let text = "1. x\n\n   ```bash\n   echo \"ä\"\n   pg_dump db\n   ```\n";
    let markdown = parse(text);
    let Kind::Fence(fence) = &markdown.items[1].kind else { panic!("no fence") };
    let script = crate::parse::shell::parse_in(&fence.source(text));
    let slices: Vec<_> = script.body.iter().map(|one| &text[one.span.start..one.span.end]).collect();
    assert_eq!(slices, ["echo \"ä\"", "pg_dump db"]);
}

#[test]
fn tables_and_comments() {
    insta::assert_snapshot!(outline(concat!(
        "| Type | *Keep* |\n|------|:---:|\n| Full | `7 | days` |\n| a \\| b |\n\nno | table\n\n",
        "x | y\n--|--\n1 | 2\nafter\n",
        "text <!-- backstop: allow x -- y --> more\n<!-- over\nlines --> tail\n- <!-- a --><!-- b -->\nopen <!-- never\nlast\n",
    )), @r#"
      row 0 header Type / Keep (-)
      row 0 Full / 7 | days (-)
      row 0 a | b (-)
      prose "no | table" (-)
      row 1 header x / y (-)
      row 1 1 / 2 (-)
      prose "after" (-)
      prose "text" (-)
      comment " backstop: allow x -- y " (-)
      prose " more" (-)
      comment " over\nlines " (-)
      prose " tail" (-)
      item 0 "" (-)
      comment " a " (-)
      comment " b " (-)
      prose "open <!-- never" (-)
      prose "last" (-)
    "#);
}

#[test]
fn marks_are_taken_off() {
    assert_eq!(plain("**RPO** (_target_): [one `hour`](http://x) \\*"), "RPO (target): one hour *");
    assert_eq!(plain("my_table_name ![i](j)"), "my_table_name i");
}

#[test]
fn hostile_text_is_read_in_one_pass() {
    for line in ["> ", "- ", "`", "```", "<!--", "|", "#", "[", "](", "*", "    ", "- [ ] ", "1. "] {
        for text in [line.repeat(10_000), format!("{line}\n").repeat(10_000)] {
            parse(&text);
        }
    }
}

proptest! {
    #[test]
    fn nothing_panics_and_spans_lie_in_the_text(text in "[-`~#>|*<! \\[\\]\\\\a1.\n\t\r\u{e9}]{0,80}") {
        let markdown = parse(&text);
        for item in &markdown.items {
            prop_assert!(text.get(item.span.start..item.span.end).is_some());
            match &item.kind {
                Kind::Fence(fence) => {
                    let source = fence.source(&text);
                    let span = source.span(0, source.text().len());
                    prop_assert!(text.get(span.start..span.end).is_some());
                }
                Kind::Prose { text: inner, .. } | Kind::Comment { text: inner } => {
                    prop_assert!(text.get(inner.start..inner.end).is_some());
                }
                Kind::Row(row) => for cell in &row.cells {
                    prop_assert!(text.get(cell.span.start..cell.span.end).is_some());
                },
                Kind::Heading(_) => {}
            }
        }
    }
}
