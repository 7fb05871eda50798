#![allow(clippy::unwrap_used, reason = "tests")]
use super::*;

#[test]
fn tests_of_text_are_exact_negated_or_expressions() {
    for (test, text, holds) in [
        ("checkout", "checkout", true),
        ("checkout", "Checkout", false),
        ("!checkout", "cart", true),
        ("!checkout", "checkout", false),
        ("~^check", "checkout", true),
        ("~^check", "recheck", false),
        ("!~^check", "cart", true),
        ("\"~x\"", "~x", true),
        ("\"!x\"", "!x", true),
        ("\"\"", "", true),
        ("!\"\"", "", false),
    ] {
        assert_eq!(TextTest::parse(test).unwrap().holds(text), holds, "{test} of {text}");
    }
    let any = |tests: &[&str], text: &str| {
        TextTest::any(&tests.iter().map(|test| TextTest::parse(test).unwrap()).collect::<Vec<_>>(), text)
    };
    assert!(any(&["a", "b"], "b") && !any(&["a", "b"], "c"));
    assert!(any(&["!a", "!b"], "c") && !any(&["!a", "!b"], "b"));
}

#[test]
fn any_case_is_of_letters_and_finds_what_lowering_both_finds() {
    for wanted in ["time", "TIMEOUT", "é", "a b", "10", "[x]", "K8S.Pod", "zz", " ", "tt"] {
        let pattern = Pattern::text(wanted, true);
        for text in ["a TimeOut of É é", "A b", "k8s.POD 10 [X] zZ", "", "ttime", "attt", "z", "no"] {
            let simple = text.to_ascii_lowercase().contains(&wanted.to_ascii_lowercase());
            assert_eq!(pattern.is_in(text.as_bytes()), simple, "{wanted:?} in {text:?}");
        }
    }
}

#[test]
fn literals_that_an_expression_needs_never_hide_a_match() {
    for (pattern, text, found) in [
        ("timeout after [0-9]+", "a timeout after 5", true),
        ("timeout after [0-9]+", "a timeout after", false),
        ("(?:abc|xyz)def", "xyzdef", true),
        ("(abc)+x", "abcabcx", true),
        ("(abc)*x", "x", true),
        ("(abc)?x", "x", true),
        ("a|bcd", "a", true),
        ("(?i)timeout", "TIMEOUT", true),
        ("^abc$", "abc", true),
        ("(?s)abc.*def", "abc\ndef", true),
        ("\\bword\\b", "a word", true),
        ("", "anything", true),
    ] {
        assert_eq!(Pattern::regex(pattern, false).unwrap().is_in(text.as_bytes()), found, "{pattern} in {text}");
    }
    assert!(Pattern::regex("TIME", true).unwrap().is_in(b"time"));
}

#[test]
fn ids_begin_with_digits() {
    let id = [0xab, 0xcd, 0xef, 0x01, 0x23, 0x45, 0x67, 0x89];
    for (text, begins) in
        [("abcdef", true), ("ABCDEF0", true), ("abcdef0123456789", true), ("abcdee", false), ("abcdef1", false)]
    {
        assert_eq!(IdPrefix::parse(text, 8).unwrap().begins(&id), begins, "{text}");
    }
    let whole = IdPrefix::parse("abcdef0123456789", 8).unwrap();
    assert_eq!((whole.complete(), whole.to_string().as_str()), (Some(&id[..]), "abcdef0123456789"));
    assert_eq!(IdPrefix::whole(&id), Some(whole));
    let prefix = IdPrefix::parse("abcdef0", 8).unwrap();
    assert_eq!((prefix.complete(), prefix.to_string().as_str()), (None, "abcdef0"));
    assert!(!prefix.begins(&id[..7]) && IdPrefix::whole(&id[..5]).is_none());
}
