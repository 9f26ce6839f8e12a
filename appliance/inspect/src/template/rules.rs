//! What each token of a template is, and whether an ordinary template has it.

use std::collections::{BTreeMap, BTreeSet};

use super::flow::{Flow, Holder, Use};
use super::lexer::{Tag, Token};
use super::scope::{Scope, between, endless};
use super::words::{
    CONSTANTS, FILTERS, FUNCTIONS, KEYWORDS, METHODS, REFUSED_ATTRIBUTES, REFUSED_NAMES,
    REFUSED_STARTS, TESTS,
};
use super::{Construct, filters, quoted};

/// Loops that are open at once.
const LOOPS: usize = 6;
/// Loops over ranges that are open at once.
const RANGES: usize = 2;
/// Macros of a template.
const MACROS: usize = 256;
/// Names that one statement assigns to.
const TARGETS: usize = 16;
/// The largest number that a template may hold.
const LARGEST: u64 = 100_000;

/// The first thing that is not ordinary, and how many there are.
pub(super) fn check<'t>(tags: &'t [Tag<'t>]) -> Option<(Construct, usize)> {
    let mut checker = Checker::default();
    for tag in tags {
        if let [Token::Name("macro"), Token::Name(name), ..] = tag.tokens.as_slice() {
            checker.macros.entry(name).or_default();
        }
    }
    checker.flow = Flow::new(checker.macros.keys().copied());
    for tag in tags {
        checker.line = tag.line;
        if tag.statement { checker.statement(&tag.tokens) } else { checker.expression(&tag.tokens) }
    }
    checker.finish()
}

#[derive(Default)]
struct Checker<'t> {
    line: usize,
    first: Option<Construct>,
    count: usize,
    /// Statements that are open.
    open: Vec<&'static str>,
    /// Macros that are open.
    scopes: Vec<Scope<'t>>,
    /// The macros that each macro calls with what it was given itself.
    macros: BTreeMap<&'t str, BTreeSet<&'t str>>,
    /// Where the first `%` stands that may format, and the first string that may be formatted.
    modulo: Option<usize>,
    percent: bool,
    flow: Flow<'t>,
    /// Macros with their parameters, and what they are called with.
    parameters: BTreeMap<&'t str, Vec<&'t str>>,
    calls: Vec<(&'t str, &'t [Token<'t>])>,
}

/// What a bracket holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Bracket<'t> {
    /// Anything that is only grouped: parentheses, a list, a dictionary.
    Group,
    /// The arguments of a function, method or test.
    Call(&'t str),
    /// The arguments of a filter.
    Filter(&'t str),
    /// What stands behind a value in square brackets.
    Subscript,
}

/// What a token was, as far as the next one is understood by it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role<'t> {
    /// An operator, a keyword, or nothing: a value comes next.
    Open,
    /// A value that ends here.
    Value,
    /// The name of a function.
    Name(&'t str),
    /// The name of an attribute.
    Attribute(&'t str),
    Filter(&'t str),
    Test(&'t str),
    /// `is`, or `is not`.
    Is,
    /// A name before `=` in arguments.
    Argument,
}

impl<'t> Checker<'t> {
    fn refuse(&mut self, what: String) {
        self.count = self.count.saturating_add(1);
        let line = self.line;
        self.first.get_or_insert(Construct { line, what });
    }

    fn finish(mut self) -> Option<(Construct, usize)> {
        if self.open.pop().is_some() {
            self.refuse("leaves a block open".to_owned());
        }
        if let Some(line) = self.modulo
            && self.percent
        {
            self.line = line;
            self.refuse("may format a string by `%`".to_owned());
        }
        for (name, held) in std::mem::take(&mut self.calls) {
            self.pass(name, held);
        }
        for (how, line) in self.flow.put_together() {
            self.line = line;
            self.refuse(match how {
                Use::Subscript => "reads an attribute by a name that is put together".to_owned(),
                Use::Range => "has a range whose end cannot be told".to_owned(),
            });
        }
        if self.macros.len() > MACROS {
            self.refuse(format!("has more than {MACROS} macros"));
        } else if let Some(name) = endless(&self.macros) {
            self.refuse(format!("has the macro {}, which comes back to itself", quoted(name)));
        }
        self.first.map(|first| (first, self.count))
    }

    /// Keeps which parameters of the macro `name` get what of `held`.
    fn pass(&mut self, name: &'t str, held: &'t [Token<'t>]) {
        let parameters = self.parameters.get(name).map(Vec::as_slice).unwrap_or_default();
        for (at, argument) in between(held, ",").into_iter().enumerate() {
            match (argument, parameters.get(at)) {
                ([Token::Name(name), Token::Operator("="), value @ ..], _) => {
                    self.flow.assign(Holder::Name(name), value);
                }
                (value, Some(parameter)) => self.flow.assign(Holder::Name(parameter), value),
                _ => {}
            }
        }
    }

    fn statement(&mut self, tokens: &'t [Token<'t>]) {
        let Some((Token::Name(name), rest)) = tokens.split_first() else {
            return self.refuse("has a statement without a name".to_owned());
        };
        match *name {
            "if" => {
                self.open.push("if");
                self.expression(rest);
            }
            "elif" => self.expression(rest),
            "for" => {
                self.open.push("for");
                let loops = self.open.iter().filter(|kind| kind.starts_with("for")).count();
                if loops > LOOPS {
                    self.refuse(format!("nests more than {LOOPS} loops"));
                }
                self.iteration(rest);
            }
            "set" => self.assignment(rest),
            "macro" => self.definition(rest),
            "filter" => {
                self.open.push("filter");
                self.run(rest, Some(Token::Operator("|")));
            }
            "generation" => {
                self.open.push("generation");
                self.nothing(rest);
            }
            "else" | "break" | "continue" => self.nothing(rest),
            "endif" => self.close("if", rest),
            "endfor" => self.close("for", rest),
            "endset" => self.close("set", rest),
            "endmacro" => self.close("macro", rest),
            "endfilter" => self.close("filter", rest),
            "endgeneration" => self.close("generation", rest),
            other => self.refuse(format!("uses the statement {}", quoted(other))),
        }
    }

    fn close(&mut self, kind: &str, rest: &'t [Token<'t>]) {
        if kind == "macro" {
            self.scopes.pop();
        }
        if self.open.pop().and_then(|open| open.split(' ').next()) != Some(kind) {
            self.refuse(format!("ends {} where none is open", quoted(kind)));
        }
        self.nothing(rest);
    }

    fn nothing(&mut self, rest: &'t [Token<'t>]) {
        if !rest.is_empty() {
            self.refuse("has a statement with more than its name".to_owned());
        }
    }

    /// `targets in values`, with `if` and `recursive`.
    fn iteration(&mut self, rest: &'t [Token<'t>]) {
        let Some(at) = rest.iter().position(|token| token.is_name("in")) else {
            return self.refuse("has a loop over nothing".to_owned());
        };
        let (targets, values) = rest.split_at(at);
        self.targets(targets);
        let mut values = values.get(1..).unwrap_or_default();
        self.assigns(targets, Some(values));
        let gives_parts = self.scopes.last().is_some_and(|scope| scope.gives_parts(values));
        self.parts(targets, gives_parts);
        if matches!(values, [Token::Name("range"), ..]) {
            if let Some(open) = self.open.last_mut() {
                *open = "for range";
            }
            if self.open.iter().filter(|kind| **kind == "for range").count() > RANGES {
                self.refuse(format!("nests more than {RANGES} ranges"));
            }
        }
        if let [before @ .., Token::Name("recursive")] = values
            && !before.last().is_some_and(|token| token.is("."))
        {
            self.refuse("has a recursive loop".to_owned());
            values = before;
        }
        self.expression(values);
    }

    /// `targets = values`, or `target` of a block.
    fn assignment(&mut self, rest: &'t [Token<'t>]) {
        match rest.iter().position(|token| token.is("=")) {
            Some(at) => {
                let (targets, values) = rest.split_at(at);
                let values = values.get(1..).unwrap_or_default();
                let is_part = self.scopes.last().is_some_and(|scope| scope.is_part(values));
                self.targets(targets);
                self.assigns(targets, Some(values));
                self.parts(targets, is_part);
                self.expression(values);
            }
            None => {
                self.open.push("set");
                let at = rest.iter().position(|token| token.is("|")).unwrap_or(rest.len());
                let (targets, filters) = rest.split_at(at);
                self.targets(targets);
                self.assigns(targets, None);
                self.parts(targets, false);
                self.run(filters, None);
            }
        }
    }

    /// `name(parameters)`.
    fn definition(&mut self, rest: &'t [Token<'t>]) {
        let Some((Token::Name(name), parameters)) = rest.split_first() else {
            return self.refuse("has a macro without a name".to_owned());
        };
        self.open.push("macro");
        let (mut given, parts) = (BTreeSet::new(), BTreeSet::new());
        let mut ordered = Vec::new();
        if self.parameters.contains_key(name) {
            self.refuse(format!("gives {} another meaning", quoted(name)));
        }
        if FUNCTIONS.contains(name) || REFUSED_NAMES.contains(name) || name.starts_with("__") {
            self.refuse(format!("gives {} another meaning", quoted(name)));
        }
        let inner = match parameters {
            [Token::Operator("("), inner @ .., Token::Operator(")")] => inner,
            _ => return self.refuse("has a macro without parameters".to_owned()),
        };
        for parameter in between(inner, ",") {
            match parameter {
                [Token::Name(name), rest @ ..] => {
                    self.target(name);
                    given.insert(*name);
                    ordered.push(*name);
                    self.flow.assign(Holder::Name(name), rest);
                }
                [] => {}
                _ => self.refuse("has a parameter that is no name".to_owned()),
            }
        }
        if ordered.len() > TARGETS {
            self.refuse(format!("has a macro with more than {TARGETS} parameters"));
        }
        self.parameters.insert(name, ordered);
        self.scopes.push(Scope { name, given, parts });
        self.expression(parameters);
    }

    /// Keeps which names are parts of what the open macro was given.
    fn parts(&mut self, targets: &'t [Token<'t>], are_parts: bool) {
        let Some(scope) = self.scopes.last_mut() else { return };
        for token in targets {
            if let Token::Name(name) = token {
                scope.given.remove(name);
                if are_parts {
                    scope.parts.insert(name)
                } else {
                    scope.parts.remove(name)
                };
            }
        }
    }

    /// Keeps what the targets are assigned: `values`, or what a block lays out.
    fn assigns(&mut self, targets: &'t [Token<'t>], values: Option<&'t [Token<'t>]>) {
        if targets.len() > 2 * TARGETS {
            return self.refuse(format!("assigns to more than {TARGETS} names"));
        }
        for (at, token) in targets.iter().enumerate() {
            let Token::Name(name) = token else { continue };
            let before = at.checked_sub(1).and_then(|at| targets.get(at));
            let holder = match before {
                Some(Token::Operator(".")) => Holder::Attribute(name),
                _ if targets.get(at.saturating_add(1)).is_some_and(|next| next.is(".")) => continue,
                _ => Holder::Name(name),
            };
            match values {
                Some(values) => self.flow.assign(holder, values),
                None => self.flow.lay_out(holder),
            }
        }
    }

    fn targets(&mut self, targets: &'t [Token<'t>]) {
        let mut before = None;
        for token in targets {
            match (token, before) {
                (Token::Name(name), Some(Token::Operator("."))) => self.attribute(name),
                (Token::Name(name), _) => self.target(name),
                (Token::Operator("," | "." | "(" | ")"), _) => {}
                _ => self.refuse("assigns to what is no name".to_owned()),
            }
            before = Some(token.clone());
        }
    }

    /// A name that gets a value must not be one that can be called.
    fn target(&mut self, name: &'t str) {
        let taken = FUNCTIONS.contains(&name)
            || REFUSED_NAMES.contains(&name)
            || KEYWORDS.contains(&name)
            || CONSTANTS.contains(&name)
            || self.macros.contains_key(name)
            || name == "loop"
            || name.starts_with("__");
        if taken {
            self.refuse(format!("gives {} another meaning", quoted(name)));
        }
    }

    fn attribute(&mut self, name: &str) {
        let refused = name.starts_with('_')
            || REFUSED_ATTRIBUTES.contains(&name)
            || REFUSED_STARTS.iter().any(|start| name.starts_with(start));
        if refused {
            self.refuse(format!("reads the attribute {}", quoted(name)));
        }
    }

    fn expression(&mut self, tokens: &'t [Token<'t>]) {
        self.run(tokens, None);
    }

    /// Walks over an expression that follows the operator `before`.
    fn run(&mut self, tokens: &'t [Token<'t>], before: Option<Token<'t>>) {
        let mut role = Role::Open;
        let mut previous = before.as_ref();
        let mut brackets: Vec<(Bracket<'t>, usize)> = Vec::new();
        for (at, token) in tokens.iter().enumerate() {
            let next = tokens.get(at.saturating_add(1));
            let inside = brackets.last().map_or(Bracket::Group, |(bracket, _)| *bracket);
            role = match token {
                Token::Name(name) => self.name(name, (previous, role), next, inside),
                Token::Text(text) => {
                    self.text(text, inside);
                    Role::Value
                }
                Token::Integer(value) => {
                    if *value > LARGEST {
                        self.refuse(format!("has a number above {LARGEST}"));
                    }
                    Role::Value
                }
                Token::Float => Role::Value,
                Token::Operator("(") => {
                    let bracket = self.call(role);
                    brackets.push((bracket, at));
                    Role::Open
                }
                Token::Operator("[") => {
                    let list = matches!(role, Role::Open | Role::Test(_));
                    let bracket = if list { Bracket::Group } else { Bracket::Subscript };
                    brackets.push((bracket, at));
                    Role::Open
                }
                Token::Operator("{") => {
                    brackets.push((Bracket::Group, at));
                    Role::Open
                }
                Token::Operator(")" | "]" | "}") => {
                    if let Some((bracket, from)) = brackets.pop() {
                        let held = tokens.get(from.saturating_add(1)..at).unwrap_or_default();
                        self.bracket(bracket, held);
                    }
                    Role::Value
                }
                Token::Operator("*" | "**") if role == Role::Open => {
                    self.refuse("unpacks arguments".to_owned());
                    Role::Open
                }
                Token::Operator(operator) => {
                    self.operator(operator, next);
                    Role::Open
                }
            };
            previous = Some(token);
        }
    }

    fn name(
        &mut self,
        name: &'t str,
        (previous, role): (Option<&Token<'t>>, Role<'t>),
        next: Option<&Token<'t>>,
        inside: Bracket<'t>,
    ) -> Role<'t> {
        let is_call = next.is_some_and(|token| token.is("("));
        match (previous, role) {
            (Some(Token::Operator(".")), _) => {
                self.attribute(name);
                if is_call && !METHODS.contains(&name) {
                    self.refuse(format!("calls the method {}", quoted(name)));
                }
                return Role::Attribute(name);
            }
            (Some(Token::Operator("|")), _) => {
                if !FILTERS.contains(&name) {
                    self.refuse(format!("uses the filter {}", quoted(name)));
                }
                if next.is_some_and(|token| token.is(".")) {
                    self.refuse("uses a filter with a dot in its name".to_owned());
                }
                return Role::Filter(name);
            }
            (_, Role::Is) if name == "not" => return Role::Is,
            (_, Role::Is) => {
                if !TESTS.contains(&name) {
                    self.refuse(format!("uses the test {}", quoted(name)));
                }
                if next.is_some_and(|token| token.is(".")) {
                    self.refuse("uses a test with a dot in its name".to_owned());
                }
                return Role::Test(name);
            }
            _ => {}
        }
        if name == "is" {
            return Role::Is;
        }
        if KEYWORDS.contains(&name) {
            return Role::Open;
        }
        let argument = matches!(inside, Bracket::Call(_) | Bracket::Filter(_));
        if argument && next.is_some_and(|token| token.is("=")) {
            if name.starts_with('_') {
                self.refuse(format!("passes the argument {}", quoted(name)));
            }
            return Role::Argument;
        }
        if CONSTANTS.contains(&name) {
            return Role::Value;
        }
        if REFUSED_NAMES.contains(&name) || name.starts_with("__") {
            self.refuse(format!("uses the name {}", quoted(name)));
        }
        if is_call {
            if !FUNCTIONS.contains(&name) && !self.macros.contains_key(name) {
                self.refuse(format!("calls {}", quoted(name)));
            }
            return Role::Name(name);
        }
        Role::Value
    }

    fn text(&mut self, text: &str, inside: Bracket<'t>) {
        if text.contains("__") {
            self.refuse(format!("holds the string {}", quoted(text)));
        }
        if inside == Bracket::Subscript {
            self.attribute(text);
        }
        if inside != Bracket::Call("strftime_now") && text.contains('%') {
            self.percent = true;
        }
    }

    /// What an opening parenthesis after `role` holds.
    fn call(&mut self, role: Role<'t>) -> Bracket<'t> {
        match role {
            Role::Open | Role::Is | Role::Argument => Bracket::Group,
            Role::Name(name) | Role::Attribute(name) | Role::Test(name) => Bracket::Call(name),
            Role::Filter(name) => Bracket::Filter(name),
            Role::Value => {
                self.refuse("calls what cannot be told".to_owned());
                Bracket::Group
            }
        }
    }

    /// What a bracket held, now that it is closed.
    fn bracket(&mut self, bracket: Bracket<'t>, held: &'t [Token<'t>]) {
        match bracket {
            Bracket::Call("range") => self.flow.used(Use::Range, self.line, held),
            Bracket::Call(name) if self.macros.contains_key(name) => {
                self.passed(name, held);
                self.calls.push((name, held));
            }
            Bracket::Filter(name) if !filters::admits(name, held) => {
                let name = quoted(name);
                self.refuse(format!("passes what cannot be told to the filter {name}"));
            }
            Bracket::Subscript => self.subscript(held),
            Bracket::Group | Bracket::Call(_) | Bracket::Filter(_) => {}
        }
    }

    /// An item, or a part: `[key]`, `[first:end]`, and `[::-1]`.
    fn subscript(&mut self, held: &'t [Token<'t>]) {
        let parts = between(held, ":");
        let step = parts.get(2).copied().unwrap_or_default();
        if !matches!(step, [] | [Token::Operator("-"), Token::Integer(1)]) {
            self.refuse("takes characters at a distance".to_owned());
        }
        // Only a single value is looked up as an attribute.
        if parts.len() < 2 && !matches!(held, [Token::Text(_) | Token::Integer(_)]) {
            self.flow.used(Use::Subscript, self.line, held);
        }
    }

    /// Arguments of a macro. Where a macro is called by itself, also by way of others, one of them must
    /// be part of what it was given, as templates do that walk down a schema.
    fn passed(&mut self, name: &'t str, held: &'t [Token<'t>]) {
        let Some(scope) = self.scopes.last() else { return };
        let descends = held.split(|token| token.is(",")).any(|argument| scope.is_part(argument));
        if !descends && let Some(calls) = self.macros.get_mut(scope.name) {
            calls.insert(name);
        }
    }

    fn operator(&mut self, operator: &str, next: Option<&Token<'t>>) {
        match operator {
            "*" => self.refuse("multiplies".to_owned()),
            "**" => self.refuse("raises to a power".to_owned()),
            "%" if matches!(next, Some(Token::Integer(_))) => {
                _ = self.modulo.get_or_insert(self.line)
            }
            "%" => self.refuse("may format a string by `%`".to_owned()),
            _ => {}
        }
    }
}
