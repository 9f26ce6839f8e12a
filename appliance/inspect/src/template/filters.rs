//! The arguments of filters that take the name of an attribute, of a test, or of another filter.

use super::lexer::Token;
use super::words::{FILTERS, REFUSED_ATTRIBUTES, REFUSED_STARTS, TESTS};

/// These filters.
const NAMING: &[&str] = &[
    "groupby",
    "join",
    "map",
    "max",
    "min",
    "reject",
    "rejectattr",
    "select",
    "selectattr",
    "sort",
    "sum",
    "unique",
];

/// Whether the filter `name` may have the arguments `held`.
pub(super) fn admits(name: &str, held: &[Token<'_>]) -> bool {
    let mut arguments = held.split(|token| token.is(","));
    let path = |token: Option<&Token<'_>>| match token {
        Some(Token::Text(path)) => path.split('.').all(|step| {
            !step.is_empty()
                && !step.starts_with('_')
                && !REFUSED_ATTRIBUTES.contains(&step)
                && !REFUSED_STARTS.iter().any(|start| step.starts_with(start))
        }),
        _ => false,
    };
    let is_test = |argument: &[Token<'_>]| match argument {
        [Token::Text(test)] => TESTS.contains(&test.as_ref()),
        _ => false,
    };
    match name {
        "map" => match arguments.next().unwrap_or_default() {
            // What that filter gets is not looked at, so it gets nothing where it would take a name.
            [Token::Text(filter)] => {
                FILTERS.contains(&filter.as_ref())
                    && (held.len() == 1 || !NAMING.contains(&filter.as_ref()))
            }
            [Token::Name("attribute"), Token::Operator("="), attribute] => path(Some(attribute)),
            _ => false,
        },
        "select" | "reject" => held.is_empty() || arguments.next().is_some_and(is_test),
        "selectattr" | "rejectattr" => {
            arguments.next().is_some_and(|first| path(first.first()) && first.len() == 1)
                && arguments.next().is_none_or(is_test)
        }
        "sort" | "groupby" | "sum" | "min" | "max" | "unique" => {
            arguments.all(|argument| match argument {
                [] | [.., Token::Name("true" | "True" | "false" | "False")] => true,
                [Token::Text(_)] => path(argument.first()),
                [Token::Name("attribute"), Token::Operator("="), attribute] => {
                    path(Some(attribute))
                }
                _ => false,
            })
        }
        "join" => {
            let first = arguments.next().unwrap_or_default();
            !matches!(first, [Token::Name("attribute"), Token::Operator("="), ..])
                && arguments.next().is_none()
        }
        _ => true,
    }
}
