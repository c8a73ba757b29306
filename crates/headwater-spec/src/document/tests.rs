//! Places and types: what is wrong with TOML itself and with single values.

use expect_test::{Expect, expect};

use super::*;

/// Reads a file with one key of every type and shows its problems.
fn check(text: &str, expected: Expect) {
    let read = |document: &Document<'_>| {
        let root = document.root_with(
            &["name", "count", "share", "wait", "list", "flag", "inner", "named"],
            &|key| (key == "outer").then(|| "there is no outside".to_owned()),
        );
        root.get("name").and_then(|f| f.text());
        root.get("count").and_then(|f| f.whole(1..=9, "one digit"));
        root.get("share").and_then(|f| f.number(0.0..=1.0, "a share of one"));
        root.get("wait").and_then(|f| f.seconds_as_ms(0.0..=60.0, "a minute at most"));
        root.get("list").and_then(|f| f.items());
        root.get("flag").and_then(|f| f.boolean());
        for entry in root.get("named").and_then(|f| f.entries()).unwrap_or_default() {
            entry.section_with(&["size"], &|key| {
                (entry.is_table() && key == "width").then(|| "say how large it is".to_owned())
            });
        }
        let inner = root.get("inner").and_then(|f| f.section(&["kind"]));
        inner
            .and_then(|s| s.need("kind", "add `kind = \"a\"`")?.one_of(&["alpha", "beta"], "kind"));
    };
    let outcome = Document::parse("file.toml", text).and_then(|document| {
        read(&document);
        document.finish(Some(()))
    });
    let shown = match outcome {
        Ok(()) => "fine".to_owned(),
        Err(problems) => problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n\n"),
    };
    expected.assert_eq(&shown);
}

#[test]
fn good_values_of_every_type() {
    check(
        "name = 'x'\ncount = 0x9\nshare = 1\nwait = 0.25\nlist = []\nflag = false\n\
         inner = { kind = 'beta' }\nnamed = { zebra = { size = 1 }, 'a b' = {} }",
        expect!["fine"],
    );
    check("", expect!["fine"]);
}

#[test]
fn wrong_types() {
    check(
        "name = 1\ncount = \"7\"\nshare = true\nwait = 1979-05-27\nlist = 1.5\ninner = [1, 2]",
        expect![[r#"
            file.toml:1:8: `name` must be a string in quotes, not a whole number
              1 | name = 1
                |        ^

            file.toml:2:9: `count` must be a whole number, not a string
              2 | count = "7"
                |         ^^^
            hint: take the quotes away

            file.toml:3:9: `share` must be a number, not a boolean
              3 | share = true
                |         ^^^^

            file.toml:4:8: `wait` must be a number, not a date or time
              4 | wait = 1979-05-27
                |        ^^^^^^^^^^

            file.toml:5:8: `list` must be an array, not a number with decimals
              5 | list = 1.5
                |        ^^^

            file.toml:6:9: `inner` must be a table, not an array
              6 | inner = [1, 2]
                |         ^^^^^^"#]],
    );
}

#[test]
fn booleans_and_names() {
    check(
        "flag = 'true'\nnamed = { a = 1 }",
        expect![[r#"
        file.toml:1:8: `flag` must be true or false, not a string
          1 | flag = 'true'
            |        ^^^^^^
        hint: take the quotes away

        file.toml:2:15: `named.a` must be a table, not a whole number
          2 | named = { a = 1 }
            |               ^"#]],
    );
    check(
        "flag = 1\nnamed = 'a'",
        expect![[r#"
        file.toml:1:8: `flag` must be true or false, not a whole number
          1 | flag = 1
            |        ^

        file.toml:2:9: `named` must be a table, not a string
          2 | named = 'a'
            |         ^^^"#]],
    );
}

#[test]
fn advice_in_place_of_the_nearest_key() {
    check(
        "outer = 1\n[named.a]\nwidth = 1\nsiez = 2\n",
        expect![[r#"
        file.toml:1:1: unknown key `outer`
          1 | outer = 1
            | ^^^^^
        hint: there is no outside

        file.toml:3:1: unknown key `named.a.width`
          3 | width = 1
            | ^^^^^
        hint: say how large it is

        file.toml:4:1: unknown key `named.a.siez`
          4 | siez = 2
            | ^^^^
        hint: did you mean `size`?"#]],
    );
}

#[test]
fn what_follows_the_key_of_a_secret_is_not_quoted() {
    check(
        "secret = 'hush'\nPassword='hush'\ninner = { api_key = 'hush', kind = 7 }\n",
        expect![[r#"
        file.toml:1:1: unknown key `secret`
          1 | secret …
            | ^^^^^^
        hint: known: `name`, `count`, `share`, `wait`, `list`, `flag`, `inner`, `named`

        file.toml:2:1: unknown key `Password`
          2 | Password …
            | ^^^^^^^^
        hint: known: `name`, `count`, `share`, `wait`, `list`, `flag`, `inner`, `named`

        file.toml:3:11: unknown key `inner.api_key`
          3 | inner = { api_key …
            |           ^^^^^^^
        hint: known: `kind`

        file.toml:3:36: `inner.kind` must be a string in quotes, not a whole number
          3 | inner = { api_key …
            |                                    ^"#]],
    );
    check(
        "[inner]\nkind = 7 # the token is hush",
        expect![[r#"
        file.toml:2:8: `inner.kind` must be a string in quotes, not a whole number
          2 | kind = 7 # the token …
            |        ^"#]],
    );
    check(
        "name = 7 # https://ops:hush@cdn.example/purge",
        expect![[r#"
        file.toml:1:8: `name` must be a string in quotes, not a whole number
          1 | name = 7 # https:// …
            |        ^"#]],
    );
    check(
        "name = 7 # https://cdn.example/a@b",
        expect![[r#"
        file.toml:1:8: `name` must be a string in quotes, not a whole number
          1 | name = 7 # https://cdn.example/a@b
            |        ^"#]],
    );
    check(
        "access_key 'hush'",
        expect![[r#"
            file.toml:1:12: not TOML: key with no value, expected `=`
              1 | access_key
                |            ^"#]],
    );
    // Where a secret ends is not known in what is not TOML, but where it starts is.
    check(
        "name = 'x'\nsecret = '''\né\nhush",
        expect![[r#"
        file.toml:4:5: not TOML: invalid multi-line literal string, expected `'`
          4 | 
            |     ^"#]],
    );
    check(
        "# There is no secret here.\nname = 'x\n",
        expect![[r#"
        file.toml:2:10: not TOML: invalid literal string, expected `'`
          2 | name = 'x
            |          ^"#]],
    );
    check(
        "[named.token]\nsiez = 2",
        expect![[r#"
        file.toml:2:1: unknown key `named.token.siez`
          2 | siez = 2
            | ^^^^
        hint: did you mean `size`?"#]],
    );
}

#[test]
fn numbers_outside_their_limits() {
    check(
        "count = 10\nshare = nan\nwait = 0.0001",
        expect![[r#"
        file.toml:1:9: count = 10 is outside 1 to 9
          1 | count = 10
            |         ^^
        hint: one digit

        file.toml:2:9: share = nan is outside 0 to 1
          2 | share = nan
            |         ^^^
        hint: a share of one

        file.toml:3:8: wait = 0.0001 is finer than a millisecond
          3 | wait = 0.0001
            |        ^^^^^^
        hint: the nearest is 0"#]],
    );
    check(
        "count = 1.0\nshare = inf\nwait = 61",
        expect![[r#"
        file.toml:1:9: `count` must be a whole number, not a number with decimals
          1 | count = 1.0
            |         ^^^

        file.toml:2:9: share = inf is outside 0 to 1
          2 | share = inf
            |         ^^^
        hint: a share of one

        file.toml:3:8: wait = 61 is outside 0 to 60
          3 | wait = 61
            |        ^^
        hint: a minute at most"#]],
    );
    check(
        "count = -1\nshare = -0.5\nwait = -1",
        expect![[r#"
        file.toml:1:9: count = -1 is outside 1 to 9
          1 | count = -1
            |         ^^
        hint: one digit

        file.toml:2:9: share = -0.5 is outside 0 to 1
          2 | share = -0.5
            |         ^^^^
        hint: a share of one

        file.toml:3:8: wait = -1 is outside 0 to 60
          3 | wait = -1
            |        ^^
        hint: a minute at most"#]],
    );
    check(
        "count = 99999999999999999999",
        expect![[r#"
        file.toml:1:9: count = 99999999999999999999 is outside 1 to 9
          1 | count = 99999999999999999999
            |         ^^^^^^^^^^^^^^^^^^^^
        hint: one digit"#]],
    );
}

#[test]
fn unknown_keys_at_the_top_and_inside() {
    check(
        "nane = 'x'\n\n[inner]\nkind = 'alpha'\nknid = 'beta'\nzebra = 1",
        expect![[r#"
        file.toml:1:1: unknown key `nane`
          1 | nane = 'x'
            | ^^^^
        hint: did you mean `name`?

        file.toml:5:1: unknown key `inner.knid`
          5 | knid = 'beta'
            | ^^^^
        hint: did you mean `kind`?

        file.toml:6:1: unknown key `inner.zebra`
          6 | zebra = 1
            | ^^^^^
        hint: known: `kind`"#]],
    );
}

#[test]
fn a_missing_key_is_placed_at_its_section() {
    check(
        "name = 'x'\n\n[inner]\n",
        expect![[r#"
        file.toml:3:1: `inner.kind` is missing
          3 | [inner]
            | ^^^^^^^
        hint: add `kind = "a"`"#]],
    );
    check(
        "name = 'x'\ninner = {  }",
        expect![[r#"
        file.toml:2:9: `inner.kind` is missing
          2 | inner = {  }
            |         ^^^^
        hint: add `kind = "a"`"#]],
    );
}

#[test]
fn a_word_that_is_none_of_the_known() {
    check(
        "inner = { kind = 'Alhpa' }",
        expect![[r#"
        file.toml:1:18: `Alhpa` is no kind
          1 | inner = { kind = 'Alhpa' }
            |                  ^^^^^^^
        hint: did you mean `alpha`?"#]],
    );
    check(
        "inner = { kind = 'omega' }",
        expect![[r#"
        file.toml:1:18: `omega` is no kind
          1 | inner = { kind = 'omega' }
            |                  ^^^^^^^
        hint: known: `alpha`, `beta`"#]],
    );
}

#[test]
fn syntax() {
    check(
        "name = \"x",
        expect![[r#"
        file.toml:1:10: not TOML: invalid basic string, expected `"`
          1 | name = "x
            |          ^"#]],
    );
    check(
        "name = x\ncount 7\n",
        expect![[r#"
            file.toml:1:8: not TOML: string values must be quoted, expected literal string
              1 | name = x
                |        ^"#]],
    );
    check(
        "count = 1\ncount = 2\n",
        expect![[r#"
        file.toml:2:1: not TOML: duplicate key
          2 | count = 2
            | ^^^^^"#]],
    );
    check(
        "[inner\nkind = 'alpha'",
        expect![[r#"
        file.toml:1:7: not TOML: unclosed table, expected `]`
          1 | [inner
            |       ^"#]],
    );
}

#[test]
fn tabs_crlf_and_letters_outside_ascii_keep_their_columns() {
    check(
        "name = 'é'\r\n\tcount\t=\t12\r\n",
        expect![[r#"
        file.toml:2:10: count = 12 is outside 1 to 9
          2 | 	count	=	12
            | 	     	 	^^
        hint: one digit"#]],
    );
    check(
        "inner = { kind = 'ünknown', 'größe' = 1 }",
        expect![[r#"
        file.toml:1:18: `ünknown` is no kind
          1 | inner = { kind = 'ünknown', 'größe' = 1 }
            |                  ^^^^^^^^^
        hint: known: `alpha`, `beta`

        file.toml:1:29: unknown key `inner.größe`
          1 | inner = { kind = 'ünknown', 'größe' = 1 }
            |                             ^^^^^^^
        hint: known: `kind`"#]],
    );
}
