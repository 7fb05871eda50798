//! The words of the filter as flags: made of the table, so that the two cannot differ.

use std::sync::LazyLock;

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};
use otlp_arrow_query::filter::{PARAMETERS, Parameter};

/// Words with their values, in the order of the table.
#[derive(Clone, Debug, Default)]
pub(crate) struct Words(Vec<(&'static str, String)>);

/// `min_duration` as `min-duration`; names of flags live as long as the program.
static FLAGS: LazyLock<Vec<(&'static Parameter, &'static str)>> = LazyLock::new(|| {
    let flag = |name: &'static str| match name.contains('_') {
        true => Box::leak(name.replace('_', "-").into_boxed_str()),
        false => name,
    };
    PARAMETERS.iter().map(|parameter| (parameter, flag(parameter.name))).collect()
});

impl Words {
    /// As the filter reads them.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&'static str, String)> + '_ {
        self.0.iter().cloned()
    }

    /// One more.
    pub(crate) fn with(mut self, name: &'static str, value: String) -> Self {
        self.0.push((name, value));
        self
    }
}

impl Args for Words {
    fn augment_args(command: Command) -> Command {
        FLAGS.iter().fold(command, |command, (parameter, flag)| {
            // The others take their value from the text of the table.
            let switch = parameter.name == "ignore_case";
            let name = match parameter.name {
                "from" | "to" => "TIME",
                "min_duration" | "max_duration" => "DURATION",
                "attr" | "resource" => "CONDITION",
                "trace" | "span" => "ID",
                "limit" => "N",
                _ => "VALUE",
            };
            let help = match parameter.form {
                form if switch || form.starts_with("as ") || form == "any text" => parameter.text.to_owned(),
                form => format!("{}: {form}", parameter.text),
            };
            let arg = Arg::new(parameter.name).long(*flag).help(help.replace('`', "")).help_heading("Filter");
            command.arg(match switch {
                true => arg.action(ArgAction::SetTrue),
                false => {
                    let action = if parameter.repeated { ArgAction::Append } else { ArgAction::Set };
                    arg.action(action).value_name(name).allow_hyphen_values(true)
                }
            })
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Words {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut words = Self::default();
        words.update_from_arg_matches(matches)?;
        Ok(words)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        for Parameter { name, .. } in PARAMETERS {
            if *name == "ignore_case" {
                if matches.get_flag(name) {
                    self.0.push((name, "true".to_owned()));
                }
                continue;
            }
            let values = matches.get_many::<String>(name).into_iter().flatten();
            self.0.extend(values.map(|value| (*name, value.clone())));
        }
        Ok(())
    }
}
