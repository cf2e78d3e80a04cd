//! How the values of options get from clap into our own types.
//!
//! clap's derive describes the options. It also has code that takes their values, but 1.2 KB of it for
//! each type of values, besides what parses that type. So clap keeps the values of many types as a
//! text that it has checked, and they are parsed from that when they are taken: a client is 12 KB
//! smaller for it.

use std::any::Any;

use clap::parser::ArgMatches;

/// What is taken from a command line that clap has understood: the value of one option, or a struct
/// of several.
pub trait Taken: Sized {
    /// The value of the option with this `id`, which is the name of its field; a struct of options
    /// takes its own. None if clap has no such value, although it always has one: a mistake of ours.
    fn taken(matches: &mut ArgMatches, id: &str) -> Option<Self>;
}

/// Has a struct of options taken field by field. A field that is left out is an error of the compiler.
#[macro_export]
macro_rules! taken {
    ($options:ident { $($field:ident),* $(,)? }) => {
        impl $crate::options::taken::Taken for $options {
            fn taken(matches: &mut clap::parser::ArgMatches, _: &str) -> Option<Self> {
                use $crate::options::taken::Taken;
                Some(Self { $($field: Taken::taken(matches, stringify!($field))?),* })
            }
        }
    };
}

/// Has values of a type taken that clap keeps as they are.
#[macro_export]
macro_rules! kept {
    ($($value:ty),*) => {
        $(impl $crate::options::taken::Taken for $value {
            fn taken(matches: &mut clap::parser::ArgMatches, id: &str) -> Option<Self> {
                $crate::options::taken::value(matches, id)
            }
        }

        impl $crate::options::taken::Taken for Option<$value> {
            fn taken(matches: &mut clap::parser::ArgMatches, id: &str) -> Option<Self> {
                Some($crate::options::taken::value(matches, id))
            }
        })*
    };
}

kept!(bool, u8, u64);

/// The value of the option with this `id`, if it has one.
// All the code is in here: inlined, it would be there for each option again.
#[inline(never)]
pub fn value<T: Any + Clone + Send + Sync>(matches: &mut ArgMatches, id: &str) -> Option<T> {
    let value = matches.try_remove_one(id);
    debug_assert!(value.is_ok(), "{id}");
    value.ok()?
}
