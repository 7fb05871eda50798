use super::*;
use proptest::prelude::*;

#[test]
fn what_differs_from_time_to_time_is_replaced() {
    for (message, wanted) in [
        ("order 4711 not found", "order <n> not found"),
        ("timeout after 1500ms", "timeout after <n>ms"),
        ("timeout after 1.5 s.", "timeout after <n> s."),
        ("it's gone, and that's it", "it's gone, and that's it"),
        ("no column \"user_id\" in 'orders'", "no column \"<…>\" in '<…>'"),
        ("user 3f2504e0-4f89-11d3-9a0c-0305e82c3301 is locked", "user <id> is locked"),
        ("object 507f1f77bcf86cd799439011", "object <id>"),
        ("at 0x7ffdeadbeef0", "at <id>"),
        ("connect ECONNREFUSED 10.0.0.7:5432", "connect ECONNREFUSED <address>"),
        ("lookup of 192.168.1.1 failed", "lookup of <address> failed"),
        ("expired at 2026-11-30T12:00:00Z", "expired at <time>"),
        ("expired at 2026-11-30T12:00:00.123+01:00.", "expired at <time>."),
        ("at 12:30:59 on 2026-11-30", "at <time> on <time>"),
        ("mail to bob@example.com bounced", "mail to <email> bounced"),
        ("key sk9aBc3dEf7gHi1jKl refused", "key <id> refused"),
        ("balance -12.50 below 0", "balance <n> below <n>"),
        ("HTTP2 error in utf8", "HTTP<n> error in utf<n>"),
        ("a\n  b\t\tc", "a b c"),
        ("", ""),
        ("größer als 5 €", "größer als <n> €"),
        ("facade decade", "facade decade"),
    ] {
        assert_eq!(normalized(message), wanted, "{message}");
    }
    assert!(normalized(&"x ".repeat(10_000)).chars().count() <= 402);
}

#[test]
fn the_frame_that_an_error_comes_from() {
    for (stack, wanted) in [
        (
            "java.lang.IllegalStateException: gone\n\tat com.shop.Cart.add(Cart.java:42)\n\tat com.shop.Main.main(Main.java:7)",
            Some("com.shop.Cart.add (Cart.java)"),
        ),
        (
            "Traceback (most recent call last):\n  File \"/app/main.py\", line 3, in <module>\n    run()\n  File \"/app/cart.py\", line 9, in add\n    raise KeyError(1)\nKeyError: 1",
            Some("add (/app/cart.py)"),
        ),
        (
            "TypeError: x is not a function\n    at Cart.add (/app/cart.js:10:5)\n    at async main (/app/main.js:3:1)",
            Some("Cart.add (/app/cart.js)"),
        ),
        ("Error: x\n    at file:///app/main.mjs:3:1\n    at node:internal:1:2", Some("file:///app/main.mjs")),
        (
            "goroutine 7 [running]:\nruntime/debug.Stack()\n\t/usr/lib/go/debug.go:24 +0x5e\nmain.add(0x1, 0x2)\n\t/src/cart.go:12 +0x1d\n",
            Some("main.add (/src/cart.go)"),
        ),
        (
            "System.Exception: x\n   at Shop.Cart.Add(String id) in /src/Cart.cs:line 12\n   at Shop.Main()",
            Some("Shop.Cart.Add (/src/Cart.cs)"),
        ),
        ("System.Exception: x\n   at Shop.Main()", Some("Shop.Main")),
        ("/app/cart.rb:12:in `add'\n/app/main.rb:3:in `<main>'", Some("add (/app/cart.rb)")),
        (
            "app.rb:12:in 'Cart#add': gone (RuntimeError)\n\tfrom app.rb:20:in 'main'",
            Some("Cart#add': gone (RuntimeError) (app.rb)"),
        ),
        ("#0 /src/cart.php(12): Shop\\Cart->add(1)\n#1 {main}", Some("Shop\\Cart->add (/src/cart.php)")),
        (
            "   0: std::panicking::begin_panic\n             at /rustc/x.rs:12\n   1: shop::cart::add",
            Some("std::panicking::begin_panic"),
        ),
        ("something went wrong", None),
        ("", None),
    ] {
        assert_eq!(top_frame(stack).as_deref(), wanted, "{stack}");
    }
}

proptest! {
    /// Whatever is written, something is answered, and no number is left that differs from one time to the next.
    #[test]
    fn numbers_do_not_matter(a in 0u32..1_000_000, b in 0u32..1_000_000, words in "[a-z]{1,9}( [a-z]{1,9}){0,4}", any in any::<String>()) {
        let message = |number: u32| format!("{words} {number} of {number}.");
        prop_assert_eq!(normalized(&message(a)), normalized(&message(b)));
        let _ = (normalized(&any), top_frame(&any), normalized(&normalized(&any)));
    }

    /// Other lines of the same file are the same place.
    #[test]
    fn lines_do_not_matter(a in 1u32..9999, b in 1u32..9999, column in 1u32..99) {
        let stack = |line: u32| format!("Error: x\n    at add (/app/cart.js:{line}:{column})\n    at main (/app/main.js:1:1)");
        prop_assert_eq!(top_frame(&stack(a)), top_frame(&stack(b)));
        let stack = |line: u32| format!("Traceback (most recent call last):\n  File \"a.py\", line {line}, in f\n");
        prop_assert_eq!(top_frame(&stack(a)), top_frame(&stack(b)));
    }
}
