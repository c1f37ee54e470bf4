//! The options of one command, read as its own program reads them.
//!
//! `-Fc`, `-F c`, `-vFc`, `--format=custom` and `--format custom` are one and the
//! same; a [`Spec`] says which options of a program take a value.

use super::command::Arg;

/// Which options take a value.
#[derive(Debug, Clone, Copy)]
pub struct Spec {
    /// Letters of short options with a value.
    pub short: &'static str,
    /// Long options with a value, without their dashes.
    pub long: &'static [&'static str],
    /// `-name value` is one option, as `find` and `openssl` have it.
    pub single_dash: bool,
}

impl Spec {
    pub const fn gnu(short: &'static str, long: &'static [&'static str]) -> Self {
        Self { short, long, single_dash: false }
    }

    pub const fn single_dash(long: &'static [&'static str]) -> Self {
        Self { short: "", long, single_dash: true }
    }
}

/// An option's value: text after `=`, after the letter, or the next argument.
#[derive(Debug, Clone, Copy)]
pub struct Value<'c> {
    pub text: &'c str,
    /// The argument that it stands in.
    pub arg: &'c Arg,
}

#[derive(Debug, Clone, Default)]
pub struct Options<'c> {
    /// Without dashes, in order.
    found: Vec<(&'c str, &'c Arg, Option<Value<'c>>)>,
    operands: Vec<&'c Arg>,
}

impl<'c> Options<'c> {
    pub fn read(args: &'c [Arg], spec: &Spec) -> Self {
        let mut options = Self::default();
        let mut rest = args.iter();
        while let Some(arg) = rest.next() {
            let text = arg.text.as_str();
            if text == "--" {
                options.operands.extend(rest);
                break;
            }
            if let Some(long) = text.strip_prefix("--") {
                options.long(arg, long, spec, &mut rest);
            } else if let Some(letters) = text.strip_prefix('-').filter(|letters| !letters.is_empty()) {
                if spec.single_dash {
                    options.long(arg, letters, spec, &mut rest);
                } else {
                    options.letters(arg, letters, spec, &mut rest);
                }
            } else {
                options.operands.push(arg);
            }
        }
        options
    }

    fn long(&mut self, arg: &'c Arg, text: &'c str, spec: &Spec, rest: &mut std::slice::Iter<'c, Arg>) {
        if let Some((name, value)) = text.split_once('=')
            && !spec.single_dash
        {
            self.found.push((name, arg, Some(Value { text: value, arg })));
        } else if spec.long.contains(&text) {
            let value = rest.next().map(|next| Value { text: &next.text, arg: next });
            self.found.push((text, arg, value));
        } else {
            self.found.push((text, arg, None));
        }
    }

    fn letters(&mut self, arg: &'c Arg, letters: &'c str, spec: &Spec, rest: &mut std::slice::Iter<'c, Arg>) {
        for (at, letter) in letters.char_indices() {
            let after = at + letter.len_utf8();
            let name = letters.get(at..after).unwrap_or_default();
            if !spec.short.contains(letter) {
                self.found.push((name, arg, None));
                continue;
            }
            let value = match letters.get(after..).unwrap_or_default() {
                "" => rest.next().map(|next| Value { text: &next.text, arg: next }),
                text => Some(Value { text, arg }),
            };
            self.found.push((name, arg, value));
            return;
        }
    }

    /// Whether one of these options is there; names without dashes.
    pub fn has(&self, names: &[&str]) -> bool {
        self.arg(names).is_some()
    }

    /// The argument that names one of these options.
    pub fn arg(&self, names: &[&str]) -> Option<&'c Arg> {
        self.found.iter().find(|(name, ..)| names.contains(name)).map(|(_, arg, _)| *arg)
    }

    /// The last value that one of these options has, as programs take it.
    pub fn value(&self, names: &[&str]) -> Option<Value<'c>> {
        self.values(names).last()
    }

    pub fn values<'n>(&'n self, names: &'n [&'n str]) -> impl Iterator<Item = Value<'c>> + 'n {
        self.found.iter().filter(move |(name, ..)| names.contains(name)).filter_map(|(_, _, value)| *value)
    }

    /// What is no option.
    pub fn operands(&self) -> &[&'c Arg] {
        &self.operands
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DUMP: Spec = Spec::gnu("Ffd", &["format", "file"]);

    fn args(text: &str) -> Vec<Arg> {
        text.split(' ').map(Arg::of).collect()
    }

    #[test]
    fn every_spelling_of_an_option_is_the_same() {
        for line in
            ["-Fc db", "-F c db", "-vFc db", "--format=c db", "--format c db", "db -F c", "-Fp -Fc db"]
        {
            let args = args(line);
            let options = Options::read(&args, &DUMP);
            assert_eq!(options.value(&["F", "format"]).map(|value| value.text), Some("c"), "{line}");
            assert_eq!(options.operands().iter().map(|arg| &arg.text).collect::<Vec<_>>(), ["db"], "{line}");
        }
        let args = args("-- -Fc");
        assert!(!Options::read(&args, &DUMP).has(&["F"]));
    }

    #[test]
    fn programs_with_one_dash_have_long_options() {
        let args = args("/b -name *.gz -mtime +7 -delete");
        let options = Options::read(&args, &Spec::single_dash(&["name", "mtime"]));
        assert_eq!(options.value(&["mtime"]).map(|value| value.text), Some("+7"));
        assert!(options.has(&["delete"]));
        assert_eq!(options.operands()[0].text, "/b");
    }

    #[test]
    fn a_last_option_without_its_value_has_none() {
        let args = args("-f");
        assert!(Options::read(&args, &DUMP).value(&["f"]).is_none());
        assert!(Options::read(&args, &DUMP).has(&["f"]));
    }
}
