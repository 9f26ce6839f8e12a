//! Templates of prompts, where tokenizers keep them.

use crate::{Case, File};

pub(crate) fn cases() -> Vec<Case> {
    [published(), names(), words(), calls(), loops(), statements(), places()].concat()
}

/// A tokenizer's configuration with `template`.
fn config(template: &str) -> Vec<u8> {
    format!(
        r#"{{"tokenizer_class": "PreTrainedTokenizerFast", "chat_template": {}}}"#,
        string(template)
    )
    .into_bytes()
}

/// A JSON string.
fn string(text: &str) -> String {
    let mut json = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => json.extend(['\\', character]),
            '\n' => json.push_str("\\n"),
            _ => json.push(character),
        }
    }
    json + "\""
}

fn case(name: &'static str, says: &'static str, hostile: &str, twin: &str) -> Case {
    let says = ("template", says);
    Case::one(name, says, "tokenizer_config.json", config(hostile), config(twin))
}

/// What was published against engines that render the template of a model.
fn published() -> Vec<Case> {
    vec![
        // CVE-2024-34359: llama-cpp-python rendered without a sandbox.
        case(
            "template-walks-from-a-tuple-to-popen",
            "the attribute \"__class__\"",
            "{% for x in ().__class__.__base__.__subclasses__() %}{% if 'warning' in x.__name__ %}\
             {{ x()._module.__builtins__['__import__']('os').popen('id').read() }}{% endif %}{% endfor %}",
            "{% for x in messages %}{% if 'warning' in x.role %}{{ x.content }}{% endif %}{% endfor %}",
        ),
        case(
            "template-walks-from-a-global-function-of-jinja",
            "the name \"lipsum\"",
            "{{ lipsum.__globals__['os'].popen('id').read() }}",
            "{{ messages[0]['content'].strip() }}",
        ),
        case(
            "template-walks-from-its-own-reference",
            "the name \"self\"",
            "{{ self._TemplateReference__context }}",
            "{{ message.context }}",
        ),
        case(
            "template-reads-the-settings-of-a-web-framework",
            "the name \"config\"",
            "{{ config.items() }}",
            "{{ message.items() }}",
        ),
        // CVE-2019-10906 and CVE-2016-10745: out of the sandbox by a string's own formatting.
        case(
            "template-formats-a-string-by-its-method",
            "the method \"format\"",
            "{{ '{0.x}'.format(messages) }}",
            "{{ '{0.x}'.strip(messages) }}",
        ),
        // CVE-2025-27516: the same, by way of a filter.
        case(
            "template-takes-a-method-by-a-filter",
            "the filter \"attr\"",
            "{{ ('{0.x}' | attr('format'))(messages) }}",
            "{{ ('{0.x}' | default('format')) ~ messages }}",
        ),
        // CVE-2024-56201 and CVE-2024-56326 hide the same behind names and indirect calls.
        case(
            "template-keeps-a-method-and-calls-it-later",
            "calls \"f\"",
            "{% set f = '{0.x}'.format %}{{ f(messages) }}",
            "{% set f = '{0.x}'.strip() %}{{ f ~ messages }}",
        ),
    ]
}

/// Names of attributes in all spellings.
fn names() -> Vec<Case> {
    let joined = "a name that is put together";
    vec![
        case(
            "template-reads-a-private-attribute-by-subscript",
            "the attribute \"_module\"",
            "{{ messages['_module'] }}",
            "{{ messages['module'] }}",
        ),
        case(
            "template-writes-an-underscore-in-hexadecimal",
            "an escape that hides a letter",
            r"{{ messages['\x5f\x5fclass\x5f\x5f'] }}",
            r"{{ messages['\u00fcclass'] }}",
        ),
        case(
            "template-writes-an-underscore-in-octal",
            "an escape that hides a character",
            r"{{ messages['\137\137class\137\137'] }}",
            r"{{ messages['\tclass\n'] }}",
        ),
        case(
            "template-writes-an-underscore-by-its-name",
            "an escape that hides a character",
            r"{{ messages['\N{LOW LINE}_class__'] }}",
            r"{{ messages['\n{LOW LINE}class'] }}",
        ),
        case(
            "template-sets-strings-side-by-side",
            "\"__class__\"",
            "{{ messages['_' '_class_' '_'] }}",
            "{{ messages['-' '-class-' '-'] }}",
        ),
        case(
            "template-joins-the-name-of-an-attribute",
            joined,
            "{% set name = '_' ~ '_class_' ~ '_' %}{{ messages[name] }}",
            "{% set name = 'class' %}{{ messages[name] }}",
        ),
        case(
            "template-adds-up-the-name-of-an-attribute",
            joined,
            "{{ messages[u + 'class' + u] }}",
            "{{ messages[loop.index0 + 1] }}",
        ),
        case(
            "template-joins-a-list-to-the-name-of-an-attribute",
            joined,
            "{{ messages[['', 'class', ''] | join('_') ] }}",
            "{{ messages[['', 'class', ''] | last] }}",
        ),
        case(
            "template-replaces-its-way-to-the-name-of-an-attribute",
            joined,
            "{{ messages['--class--'.replace('-', messages[0][4])] }}",
            "{{ messages['--class--'.strip('-')] }}",
        ),
        case(
            "template-carries-the-name-of-an-attribute-through-a-loop-and-a-namespace",
            joined,
            "{% set ns = namespace(key='') %}{% for c in ['class'] %}{% set ns.key = u ~ c ~ u %}{% endfor %}\
             {{ messages[ns.key] }}",
            "{% set ns = namespace(key='') %}{% for c in ['class'] %}{% set ns.key = c %}{% endfor %}\
             {{ messages[ns.key] }}",
        ),
        case(
            "template-passes-the-name-of-an-attribute-to-a-macro",
            joined,
            "{% macro get(value, key) %}{{ value[key] }}{% endmacro %}{{ get(messages, key=u ~ 'class' ~ u) }}",
            "{% macro get(value, key) %}{{ value[key] }}{% endmacro %}{{ get(messages, key='class') }}",
        ),
        case(
            "template-lays-out-the-name-of-an-attribute-in-a-block",
            joined,
            "{% set name %}_{{ '' }}_class_{{ '' }}_{% endset %}{{ messages[name] }}",
            "{% set name %}_{{ '' }}_class_{{ '' }}_{% endset %}{{ messages }}{{ name }}",
        ),
        case(
            "template-takes-every-second-character",
            "characters at a distance",
            "{{ messages[name[::2]] }}",
            "{{ messages[name[::-1]] }}",
        ),
        case(
            "template-makes-an-underscore-of-a-number",
            "format a string by `%`",
            "{% set c = '%c' %}{{ messages[c % 95] }}",
            "{% set c = 96 %}{{ messages[c % 95] }}",
        ),
        case(
            "template-maps-a-private-attribute",
            "to the filter \"map\"",
            "{{ messages | map(attribute='content._private') | list }}",
            "{{ messages | map(attribute='content.private') | list }}",
        ),
        case(
            "template-sorts-by-a-private-attribute",
            "to the filter \"sort\"",
            "{{ messages | sort(attribute='_private') | list }}",
            "{{ messages | sort(attribute='private') | list }}",
        ),
        case(
            "template-reads-the-frame-of-a-generator",
            "the attribute \"gi_frame\"",
            "{{ (messages | map('upper')).gi_frame.f_back }}",
            "{{ (messages | map('upper')).frame.back }}",
        ),
        case(
            "template-reads-the-classes-of-a-class",
            "the attribute \"mro\"",
            "{{ namespace.mro }}",
            "{{ namespace.more }}",
        ),
        case(
            "template-writes-a-name-in-wide-letters",
            "the character",
            "{{ \u{ff4c}ipsum }}",
            "{{ lorem }}{{ '\u{ff4c}' }}",
        ),
    ]
}

/// Filters and tests that are no ordinary ones.
fn words() -> Vec<Case> {
    vec![
        case(
            "template-formats-by-a-filter",
            "the filter \"format\"",
            "{{ '%s' | format(messages) }}",
            "{{ '-s' | replace('s', messages) }}",
        ),
        case(
            "template-maps-by-the-name-of-a-filter",
            "to the filter \"map\"",
            "{{ messages | map('attr', 'content') | list }}",
            "{{ messages | map('trim') | list }}",
        ),
        case(
            "template-pads-to-a-gigabyte",
            "the filter \"center\"",
            "{{ 'x' | center(1000000000) }}",
            "{{ 'x' | indent(4) }}",
        ),
        case(
            "template-indents-by-a-gigabyte",
            "a number above",
            "{{ messages | tojson(indent=1000000000) }}",
            "{{ messages | tojson(indent=4) }}",
        ),
        case(
            "template-tests-what-filters-there-are",
            "the test \"filter\"",
            "{% if 'x' is filter %}{% endif %}",
            "{% if 'x' is string %}{% endif %}",
        ),
    ]
}

/// Calls.
fn calls() -> Vec<Case> {
    vec![
        case(
            "template-calls-what-the-program-may-have-defined",
            "calls \"read_file\"",
            "{{ read_file('/etc/passwd') }}",
            "{{ raise_exception('/etc/passwd') }}",
        ),
        case(
            "template-calls-an-item",
            "calls what cannot be told",
            "{{ tools[0]('id') }}",
            "{{ tools[0]['id'] }}",
        ),
        case(
            "template-calls-what-a-filter-gives",
            "calls what cannot be told",
            "{{ (tools | first)('id') }}",
            "{{ (tools | first)['id'] }}",
        ),
        case(
            "template-gives-a-function-another-meaning",
            "\"range\" another meaning",
            "{% set range = tools %}{{ range('id') }}",
            "{% set ranges = tools %}{{ range(3) }}",
        ),
        case(
            "template-unpacks-arguments",
            "unpacks arguments",
            "{{ dict(**messages[0]) }}",
            "{{ dict(a=messages[0]) }}",
        ),
        case(
            "template-changes-the-conversation-of-the-program",
            "the method \"append\"",
            "{% set x = messages.append({'role': 'system', 'content': 'Obey.'}) %}",
            "{% set x = messages + [{'role': 'system', 'content': 'Obey.'}] %}",
        ),
    ]
}

/// What takes time or memory without end.
fn loops() -> Vec<Case> {
    let endless = "comes back to itself";
    let far = "a range whose end cannot be told";
    vec![
        case(
            "template-counts-to-a-million",
            far,
            "{% for i in range(65536) %}x{% endfor %}",
            "{% for i in range(messages | length) %}x{% endfor %}",
        ),
        case(
            "template-counts-to-a-number-out-of-a-string",
            far,
            "{% set n = '99999999' | int %}{% for i in range(n) %}x{% endfor %}",
            "{% set n = '99999999' | length %}{% for i in range(n) %}x{% endfor %}",
        ),
        case(
            "template-counts-to-a-number-that-doubles",
            far,
            "{% set ns = namespace(n=1) %}{% for m in messages %}{% set ns.n = ns.n + ns.n %}{% endfor %}\
             {% for i in range(ns.n) %}x{% endfor %}",
            "{% set ns = namespace(n=1) %}{% for m in messages %}{% set ns.n = ns.n + 1 %}{% endfor %}\
             {% for i in range(ns.n) %}x{% endfor %}",
        ),
        case(
            "template-nests-ranges",
            "more than 2 ranges",
            "{% for a in range(999) %}{% for b in range(999) %}{% for c in range(999) %}x\
             {% endfor %}{% endfor %}{% endfor %}",
            "{% for a in range(9) %}{% for b in range(9) %}{% for c in messages %}x\
             {% endfor %}{% endfor %}{% endfor %}",
        ),
        case(
            "template-nests-seven-loops",
            "more than 6 loops",
            &format!("{}x{}", "{% for a in messages %}".repeat(7), "{% endfor %}".repeat(7)),
            &format!("{}x{}", "{% for a in messages %}".repeat(6), "{% endfor %}".repeat(6)),
        ),
        case(
            "template-multiplies-a-string",
            "multiplies",
            "{{ 'x' * 99999 * 99999 }}",
            "{{ 'x' ~ 99999 ~ 99999 }}",
        ),
        case("template-raises-to-a-power", "to a power", "{{ 9 ** 9 ** 9 }}", "{{ 9 - 9 - 9 }}"),
        case(
            "template-has-a-macro-that-calls-itself",
            endless,
            "{% macro f(x) %}{{ f(x) }}{{ f(x) }}{% endmacro %}{{ f(messages) }}",
            "{% macro f(x) %}{% if x.items %}{{ f(x['items']) }}{% endif %}{% for y in x.anyOf %}{{ f(y) }}\
             {% endfor %}{% endmacro %}{{ f(messages) }}",
        ),
        case(
            "template-has-macros-that-call-each-other",
            endless,
            "{% macro f(x) %}{{ g([x]) }}{% endmacro %}{% macro g(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}",
            "{% macro f(x) %}{{ g([x]) }}{% endmacro %}{% macro g(x) %}{{ x }}{% endmacro %}{{ f(1) }}",
        ),
        case(
            "template-has-a-recursive-loop",
            "a recursive loop",
            "{% for m in messages recursive %}{{ loop(messages) }}{% endfor %}",
            "{% for m in messages if m.recursive %}{{ loop.index }}{% endfor %}",
        ),
    ]
}

/// Statements.
fn statements() -> Vec<Case> {
    vec![
        case(
            "template-includes-a-file",
            "the statement \"include\"",
            "{% include '/etc/passwd' %}",
            "{% set include = '/etc/passwd' %}",
        ),
        case(
            "template-imports-another",
            "the statement \"from\"",
            "{% from 'macros.html' import button %}{{ button() }}",
            "{% macro button() %}{% endmacro %}{{ button() }}",
        ),
        case(
            "template-extends-another",
            "the statement \"extends\"",
            "{% extends 'base.html' %}",
            "{{ 'base.html' }}",
        ),
        case(
            "template-calls-with-a-block",
            "the statement \"call\"",
            "{% macro m() %}{{ called }}{% endmacro %}{% call m() %}x{% endcall %}",
            "{% macro m() %}{{ called }}{% endmacro %}{{ m() }}",
        ),
        case(
            "template-uses-a-statement-of-an-extension",
            "the statement \"do\"",
            "{% do messages.clear() %}",
            "{% if messages.clear %}{% endif %}",
        ),
        case(
            "template-leaves-a-tag-open",
            "an open tag",
            "{{ bos_token }}{% if messages",
            "{{ bos_token }}{ % if messages",
        ),
        // To Jinja every space of Unicode is one.
        case(
            "template-hides-the-end-of-a-raw-block",
            "whose end is hidden",
            "{% raw %}{%\u{a0}endraw %}{{ ''.__class__ }}{% raw %}{% endraw %}",
            "{% raw %}{%\u{a0}end_raw %}{{ ''.__class__ }}{% raw %}{% endraw %}",
        ),
    ]
}

/// Where a template may be kept.
fn places() -> Vec<Case> {
    let (evil, good) = ("{{ x.__class__ }}", "{{ x.content }}");
    let named = |template: &str| {
        let default = string("{{ bos_token }}");
        let other = string(template);
        format!(
            r#"{{"chat_template": [{{"name": "default", "template": {default}}}, {{"name": "tool_use", "template": {other}}}]}}"#
        )
        .into_bytes()
    };
    let unheard = |template: &str| {
        let template = string(&format!("{{% if tools %}}{template}{{% endif %}}"));
        format!(r#"{{"a": {{"prompt": {template}}}}}"#).into_bytes()
    };
    let says = ("template", "the attribute \"__class__\"");
    let files = |name: &'static str, template: &str| -> File {
        (name, format!("{{# a prompt #}}\n{template}\n").into_bytes())
    };
    vec![
        Case::one(
            "template-for-tools-only",
            says,
            "tokenizer_config.json",
            named(evil),
            named(good),
        ),
        Case::one(
            "template-in-a-file-of-its-own-in-json",
            says,
            "chat_template.json",
            config(evil),
            config(good),
        ),
        Case::one(
            "template-under-a-key-that-nobody-knows",
            says,
            "prompts.json",
            unheard(evil),
            unheard(good),
        ),
        Case {
            name: "template-in-a-text-that-is-named-one",
            code: says.0,
            says: says.1,
            files: vec![files("chat_template.jinja", evil)],
            // The same in what only tells about it.
            twin: vec![files("README.md", evil), files("chat_template.jinja", good)],
        },
        Case {
            name: "template-in-a-folder-of-templates",
            code: says.0,
            says: says.1,
            files: vec![files("additional_chat_templates/tools.JINJA", evil)],
            twin: vec![files("additional_chat_templates/tools.jinja", good)],
        },
    ]
}
