//! What the gate admits, what it refuses, and that it stays within bounds.

use super::{LONGEST, suspicious};

fn harmless(text: &str) {
    assert_eq!(suspicious(text), None, "{text}");
}

fn refused(text: &str, why: &str) {
    let found = suspicious(text).unwrap_or_default();
    assert!(found.contains(why), "{text}: {found}");
}

#[test]
fn ordinary_templates_pass() {
    for text in [
        "",
        "no tags { at } all",
        "{{ bos_token }}{% for m in messages %}{{ m['role'] + ': ' + m.content | trim }}{% endfor %}",
        "{%- if not x is defined and (y is none or z in ['a', 'b']) -%}{% endif %}",
        "{{ {'a': {'b': 1}}['a'].b }}{{ x.0.1 }}{{-1.5+ +2 }}",
        "{# {{ ''.__class__ }} #}{% raw %}{{ ''.__class__ }}{%- endraw +%}",
        "{% set ns = namespace(a=false) %}{% set ns.a = loop.index0 % 2 == 0 %}",
        r#"{{ "it's }} a \"string\" %}" ~ 'a\\' }}"#,
        "{%+ if x is not string -%}{%- elif y is divisibleby(3) +%}{% else %}{% endif %}",
        "{% filter upper | trim %}a{% endfilter %}{% set a, b = 1, 2 %}{% set c | trim %}a{% endset %}",
        "{% for a, (b, c) in x.items() if a is in [1] %}{% break %}{% else %}{% continue %}{% endfor %}",
        "{% generation %}{{ x }}{% endgeneration %}{{ strftime_now('%d %b %Y') }}{{ 7 % 2 }}",
        "{{ x | selectattr('role', 'equalto', 'user') | map(attribute='a.b') | join(', ') }}",
        "{{ x | map('trim') | reject('none') | sort(attribute='a', reverse=true) | list | length }}",
        "{{ messages[(n | length) - 1]['a'] }}{{ x[i:][0] }}{{ x[k or 'a'] }}",
    ] {
        harmless(text);
    }
}

#[test]
fn what_leads_out_is_refused() {
    for (text, why) in [
        ("{{ ''.__class__ }}", "attribute \"__class__\" in line 1"),
        ("\n{{ ''['\\x5f\\x5fclass\\x5f\\x5f'] }}", "escape that hides a letter in line 2"),
        ("{#\n#}{{\n\nx() }}{{ y() }}", "calls \"x\" in line 2, and 1 more"),
        ("{{ x[0]() }}", "calls what cannot be told"),
        ("{{ 'a'() }}", "calls what cannot be told"),
        ("{{ x | trim() () }}", "calls what cannot be told"),
        ("{{ x is string.a }}", "a dot in its name"),
        ("{{ x | trim.a }}", "a dot in its name"),
        ("{{ dict(_a=1) }}", "the argument \"_a\""),
        ("{{ x | map('sort', attribute='_a') }}", "the filter \"map\""),
        ("{{ x | map(y) }}", "the filter \"map\""),
        ("{{ x | join(attribute='_a') }}", "the filter \"join\""),
        ("{{ x | selectattr(y) }}", "the filter \"selectattr\""),
        ("{{ x | select('filter') }}", "the filter \"select\""),
        ("{{ dict(a, *b) }}", "unpacks arguments"),
        ("{% set x.__class__ = 1 %}", "attribute \"__class__\""),
        ("{% set __builtins__ = 1 %}", "another meaning"),
        ("{% set loop = 1 %}", "another meaning"),
        ("{% macro range() %}{% endmacro %}", "another meaning"),
        ("{% macro f(range) %}{% endmacro %}", "another meaning"),
        ("{% macro f() %}{% endmacro %}{% macro f() %}{% endmacro %}", "another meaning"),
        ("{{ x[y ~ z] }}", "put together"),
        ("{% set y = [a ~ b] %}{% for k in y %}{{ x[k] }}{% endfor %}", "put together"),
        ("{% macro f(k=a ~ b) %}{{ x[k] }}{% endmacro %}{{ f() }}", "put together"),
        ("{% set k = strftime_now('_%Z_') %}{{ x[k] }}", "put together"),
        ("{% set k = x.replace('a', 'b') %}{{ x[k] }}", "put together"),
        ("{% set k = x | tojson %}{{ x[k] }}", "put together"),
        ("{% set k = '_a' %}{{ x[k] }}", "put together"),
        ("{% set ns.k = a ~ b %}{{ x[other.k] }}", "put together"),
    ] {
        refused(text, why);
    }
}

#[test]
fn what_is_no_template_is_refused() {
    for (text, why) in [
        ("{{ x", "an open tag"),
        ("{% if x", "an open tag"),
        ("{# x", "an open comment"),
        ("{% raw %}{% endraw x %}", "an open raw block"),
        ("{% raw %}{%\u{a0}endraw %}{{ x() }}{% raw %}{% endraw %}", "whose end is hidden"),
        ("{% raw %}{% endraw\u{2003}-%}{{ x() }}{% raw %}{% endraw %}", "whose end is hidden"),
        ("{% raw %}{%-\u{1c}endraw %}{{ x() }}{% raw %}{% endraw %}", "whose end is hidden"),
        ("{{ 'x }}", "an open string"),
        ("{{ 'x\\' }}", "an open string"),
        ("{{ (x] }}", "brackets that do not match"),
        ("{{ x) }}", "brackets that do not match"),
        ("{{ x ; y }}", "the character ';'"),
        ("{{ x\u{a0}}}", "the character"),
        ("{{ 0x10 }}", "not decimal"),
        ("{{ 1_000 }}", "not decimal"),
        ("{{ 1e5 }}", "not decimal"),
        ("{% %}", "without a name"),
        ("{% if x %}", "leaves a block open"),
        ("{% endif %}", "where none is open"),
        ("{% for x in y %}{% endif %}", "where none is open"),
        ("{% for x in y %}{% endfor x %}", "more than its name"),
        ("{% for x %}", "a loop over nothing"),
    ] {
        refused(text, why);
    }
    refused(&format!("{{{{ {}{} }}}}", "(".repeat(33), ")".repeat(33)), "open brackets");
    harmless(&format!("{{{{ {}1{} }}}}", "(".repeat(32), ")".repeat(32)));
}

#[test]
fn everything_is_bounded() {
    refused(&" ".repeat(LONGEST + 1), "longer than");
    harmless(&" ".repeat(LONGEST));
    let macros = |count| {
        (0..count).map(|at| format!("{{% macro m{at}() %}}{{% endmacro %}}")).collect::<String>()
    };
    harmless(&macros(256));
    refused(&macros(257), "more than 256 macros");
    let names = |count: usize| (0..count).map(|at| format!("a{at},")).collect::<String>();
    harmless(&format!("{{% set {} = x %}}", names(16)));
    refused(&format!("{{% set {} = x %}}", names(17)), "more than 16 names");
    refused(&format!("{{% macro f({}) %}}{{% endmacro %}}", names(17)), "more than 16 parameters");
    // What is put together is followed from the last to the first only some way.
    let chain: String = (0..100).map(|at| format!("{{% set a{at} = a{} %}}", at + 1)).collect();
    refused(&format!("{chain}{{% set a100 = x ~ y %}}{{{{ x[a0] }}}}"), "put together");
}

#[test]
fn every_cut_of_a_template_is_read_without_a_panic() {
    let text = "{% macro f(a, b='\\u00fc') %}{{ a[b:-1] | map('trim') }}{% endmacro %}{# \u{fc} #}\
                {%- for m in range(3) -%}{% set ns.x = m.y ~ 1.5 %}{{ f(m) }}{% raw %}{{{% endraw %}{% endfor %}";
    harmless(text);
    for at in (0..text.len()).filter(|&at| text.is_char_boundary(at)) {
        let _ = (suspicious(&text[..at]), suspicious(&text[at..]));
    }
}
