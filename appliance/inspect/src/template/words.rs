//! What an ordinary template uses. Everything else is reported, so these lists admit and never deny.

/// Functions that a template may call by their name. They make numbers, dictionaries, the date, or an
/// error.
pub(super) const FUNCTIONS: &[&str] =
    &["dict", "namespace", "raise_exception", "range", "strftime_now"];

/// Methods of strings, lists, dictionaries and loops that change nothing and whose result is not
/// larger than what goes in, `replace` and `join` aside.
pub(super) const METHODS: &[&str] = &[
    "capitalize",
    "changed",
    "count",
    "cycle",
    "endswith",
    "find",
    "get",
    "index",
    "isalnum",
    "isalpha",
    "isdigit",
    "islower",
    "isnumeric",
    "isspace",
    "isupper",
    "items",
    "join",
    "keys",
    "lower",
    "lstrip",
    "partition",
    "removeprefix",
    "removesuffix",
    "replace",
    "rfind",
    "rindex",
    "rpartition",
    "rsplit",
    "rstrip",
    "split",
    "splitlines",
    "startswith",
    "strip",
    "title",
    "upper",
    "values",
];

/// Methods out of [`METHODS`] that give what they were given, a part of it, or a number: never a text
/// that was not there before.
pub(super) const PLAIN_METHODS: &[&str] = &[
    "capitalize",
    "changed",
    "count",
    "cycle",
    "endswith",
    "find",
    "get",
    "index",
    "items",
    "keys",
    "lower",
    "lstrip",
    "partition",
    "removeprefix",
    "removesuffix",
    "rfind",
    "rindex",
    "rpartition",
    "rsplit",
    "rstrip",
    "split",
    "splitlines",
    "startswith",
    "strip",
    "title",
    "upper",
    "values",
];

/// Filters out of [`FILTERS`] of which the same is true.
pub(super) const PLAIN_FILTERS: &[&str] = &[
    "abs",
    "capitalize",
    "count",
    "d",
    "default",
    "dictsort",
    "first",
    "float",
    "groupby",
    "int",
    "items",
    "last",
    "length",
    "list",
    "lower",
    "max",
    "min",
    "reject",
    "rejectattr",
    "reverse",
    "round",
    "safe",
    "select",
    "selectattr",
    "sort",
    "title",
    "trim",
    "unique",
    "upper",
];

/// Filters. `attr`, `format` and what pads to a width are not here.
pub(super) const FILTERS: &[&str] = &[
    "abs",
    "capitalize",
    "count",
    "d",
    "default",
    "dictsort",
    "e",
    "escape",
    "first",
    "float",
    "from_json",
    "groupby",
    "indent",
    "int",
    "items",
    "join",
    "last",
    "length",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "reject",
    "rejectattr",
    "replace",
    "reverse",
    "round",
    "safe",
    "select",
    "selectattr",
    "sort",
    "string",
    "sum",
    "title",
    "tojson",
    "trim",
    "unique",
    "upper",
    "urlencode",
];

/// Tests, after `is`.
pub(super) const TESTS: &[&str] = &[
    "boolean",
    "defined",
    "divisibleby",
    "eq",
    "equalto",
    "even",
    "false",
    "float",
    "ge",
    "greaterthan",
    "gt",
    "in",
    "integer",
    "iterable",
    "le",
    "lessthan",
    "lower",
    "lt",
    "mapping",
    "ne",
    "none",
    "number",
    "odd",
    "sameas",
    "sequence",
    "string",
    "true",
    "undefined",
    "upper",
];

/// Names that lead out of a template wherever an engine or a web framework defines them. No other
/// list covers them, since a name that nobody defined is ordinary.
pub(super) const REFUSED_NAMES: &[&str] = &[
    "caller",
    "config",
    "cycler",
    "environment",
    "get_flashed_messages",
    "joiner",
    "lipsum",
    "request",
    "self",
    "session",
    "super",
    "url_for",
];

/// Attributes without an underscore in front that lead to frames, code or base classes.
pub(super) const REFUSED_ATTRIBUTES: &[&str] = &["mro"];

/// Starts of such attributes: generators, coroutines, frames, tracebacks, functions, methods, code.
pub(super) const REFUSED_STARTS: &[&str] =
    &["gi_", "cr_", "ag_", "f_", "tb_", "func_", "im_", "co_"];

/// Words that are no variables.
pub(super) const KEYWORDS: &[&str] = &["and", "else", "if", "in", "is", "not", "or"];

/// Words that are values.
pub(super) const CONSTANTS: &[&str] = &["true", "True", "false", "False", "none", "None"];
