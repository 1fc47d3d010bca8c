//! The failure of a command: the message for stderr and the exit code.

use geartrain::Error;

/// The end of a command that did not succeed.
#[derive(Debug)]
pub enum Failure {
    /// An option has an invalid value: exit code 2, as for the options that clap refuses.
    Option(String),
    /// Training diverged: exit code 1.
    Diverged(String),
    /// Anything else that went wrong: exit code 1.
    Other(String),
    /// The table has columns of text to learn from, and the recipe is not decided yet.
    TextColumns,
    /// Ctrl-C: exit code 130. The command has already reported what it kept.
    Interrupted,
}

/// The result of a command.
pub type Outcome<T = ()> = Result<T, Failure>;

impl Failure {
    /// An invalid option.
    pub fn option(message: impl ToString) -> Self {
        Failure::Option(message.to_string())
    }

    /// Any other error.
    pub fn other(message: impl ToString) -> Self {
        Failure::Other(message.to_string())
    }

    /// The exit code of the program.
    pub fn code(&self) -> u8 {
        match self {
            Failure::Option(_) => 2,
            Failure::Diverged(_) | Failure::Other(_) | Failure::TextColumns => 1,
            Failure::Interrupted => 130,
        }
    }

    /// The message for stderr; `None` if there is nothing left to report.
    pub fn message(&self) -> Option<&str> {
        match self {
            Failure::Option(message) | Failure::Diverged(message) | Failure::Other(message) => Some(message),
            Failure::TextColumns => Some("the table has columns of text"),
            Failure::Interrupted => None,
        }
    }
}

impl From<Error> for Failure {
    /// Invalid arguments and layers that do not fit together come from the options.
    fn from(error: Error) -> Self {
        match error {
            Error::Argument { .. } | Error::Layer { .. } | Error::TooLarge { .. } => Failure::option(error),
            Error::Diverged { .. } => Failure::Diverged(error.to_string()),
            _ => Failure::other(error),
        }
    }
}

impl From<Failure> for Box<dyn std::error::Error> {
    fn from(failure: Failure) -> Self {
        failure.message().unwrap_or("interrupted").into()
    }
}

/// Errors that do not depend on the options' values.
macro_rules! other {
    ($($error:ty),*) => {
        $(impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Failure::other(error)
            }
        })*
    };
}

other!(String, Box<dyn std::error::Error>, std::fmt::Error, std::io::Error, geartrain::io::FileError);

impl From<geartrain::data::DataError> for Failure {
    fn from(error: geartrain::data::DataError) -> Self {
        Failure::other(crate::table::with_options(error))
    }
}

impl From<geartrain_tables::Error> for Failure {
    fn from(error: geartrain_tables::Error) -> Self {
        match error {
            geartrain_tables::Error::NoData { .. } => {
                Failure::other(format!("{error} (--type COLUMN=number keeps a column)"))
            }
            geartrain_tables::Error::Argument { .. } => Failure::option(error),
            geartrain_tables::Error::Csv(error) => Failure::other(crate::table::with_options(*error)),
            error => Failure::other(error),
        }
    }
}
