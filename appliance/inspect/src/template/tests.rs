use super::suspicious;

fn harmless(text: &str) {
    assert_eq!(suspicious(text), None, "{text}");
}

fn refused(text: &str, why: &str) {
    let found = suspicious(text).unwrap_or_default();
    assert!(found.contains(why), "{text}: {found}");
}

#[test]
fn ordinary_templates_pass() {
    harmless("");
    harmless("no tags { at } all");
    harmless(
        "{{ bos_token }}{% for m in messages %}{{ m['role'] + ': ' + m.content | trim }}{% endfor %}",
    );
    harmless("{%- if not x is defined and (y is none or z in ['a', 'b']) -%}{% endif %}");
    harmless("{{ {'a': {'b': 1}}['a'].b }}");
    harmless("{# {{ ''.__class__ }} #}{% raw %}{{ ''.__class__ }}{% endraw %}");
    harmless("{% set ns = namespace(a=false) %}{% set ns.a = loop.index0 % 2 == 0 %}");
}

#[test]
fn what_leads_out_is_refused() {
    refused("{{ ''.__class__ }}", "attribute \"__class__\" in line 1");
    refused("\n{{ ''['\\x5f\\x5fclass\\x5f\\x5f'] }}", "escape that hides a letter in line 2");
    refused("{{ x() }}", "calls \"x\"");
    refused("{{ x[0]() }}", "calls what cannot be told");
}
