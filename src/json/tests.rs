use serde::Deserialize;

use super::*;

fn refused(text: &str) -> String {
    parse(text.as_bytes(), 1 << 20).unwrap_err().to_string()
}

#[test]
fn what_two_readers_could_read_differently_is_refused() {
    for (text, why) in [
        (r#"{"a":1,"a":1}"#, "stands twice"),
        (r#"{"a":null}"#, "null"),
        ("1.0", "floating point"),
        ("1e3", "floating point"),
        ("-1", "integer `-1`"),
        ("-0", "floating point"),
        ("9007199254740992", "2^53-1"),
        ("99999999999999999999", "floating point"),
        (r#"{"é":1}"#, "not ASCII"),
        ("1 2", "trailing"),
        ("", "EOF"),
        ("\u{feff}1", "expected value"),
        (r#""\ud800""#, "hex escape"),
    ] {
        assert!(refused(text).contains(why), "{text}: {}", refused(text));
    }
    assert_eq!(
        parse(b"9007199254740991", 64).unwrap(),
        Value::from(MAX_INTEGER)
    );
}

#[test]
fn an_object_is_not_read_from_an_array() {
    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        inner: Vec<Inner>,
        kind: Option<Kind>,
    }
    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        a: u64,
    }
    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Kind {
        Plain,
        Of(String),
    }
    let read = |text: &str| decode::<Outer>(&parse(text.as_bytes(), 1 << 20).unwrap());
    let made = |kind| Outer {
        inner: vec![Inner { a: 1 }],
        kind,
    };
    assert_eq!(read(r#"{"inner":[{"a":1}]}"#), Ok(made(None)));
    let plain = read(r#"{"inner":[{"a":1}],"kind":"plain"}"#);
    assert_eq!(plain, Ok(made(Some(Kind::Plain))));
    let of = read(r#"{"inner":[{"a":1}],"kind":{"of":"x"}}"#);
    assert_eq!(of, Ok(made(Some(Kind::Of("x".into())))));
    for (text, why) in [
        (r#"[[{"a":1}],"plain"]"#, "expected an object"),
        (r#"{"inner":[[1]]}"#, "expected an object"),
        (r#"{"inner":[{"a":1,"b":2}]}"#, "unknown field `b`"),
        (r#"{"inner":{"a":1}}"#, "expected a sequence"),
        (r#"{"inner":7}"#, "expected a sequence"),
    ] {
        let error = read(text).unwrap_err().to_string();
        assert!(error.contains(why), "{text}: {error}");
    }
}

#[test]
fn size_depth_and_node_count_are_bounded() {
    assert_eq!(
        parse(b"[1]", 2),
        Err(JsonError::TooLarge {
            actual: 3,
            limit: 2
        })
    );
    assert!(
        parse("[".repeat(17).as_bytes(), 64)
            .unwrap_err()
            .to_string()
            .contains("EOF")
    );
    assert!(refused(&"[".repeat(18)).contains("too deeply"));
    assert!(refused(&format!("[{}1]", "1,".repeat(20_000))).contains("too many values"));
    assert!(parse(format!("[{}1]", "1,".repeat(900)).as_bytes(), 1 << 20).is_ok());
}

/// RFC 8785 section 3.2.3, cut to what our rules admit, and escapes of section 3.2.2.2.
#[test]
fn canonical_form_known_answers() {
    let value = parse(
        r#"{ "b" : [ 2, 1 ], "a" : "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/" }"#.as_bytes(),
        256,
    )
    .unwrap();
    let expected = "{\"a\":\"€$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\",\"b\":[2,1]}";
    assert_eq!(
        String::from_utf8(canonical_value(&value).unwrap()).unwrap(),
        expected
    );
    assert!(parse_canonical(expected.as_bytes(), 256).is_ok());
    for other in [
        r#"{"b":1,"a":2}"#,
        r#"{"a": 2}"#,
        "{\"a\":\"\\u0041\"}",
        "[1]\n",
    ] {
        assert_eq!(
            parse_canonical(other.as_bytes(), 256),
            Err(JsonError::NotCanonical)
        );
    }
}

#[test]
fn own_objects_obey_the_same_rules() {
    assert!(canonical(&Some(1u8)).is_ok());
    assert!(canonical(&None::<u8>).is_err());
    assert!(canonical(&1.5f64).is_err());
    assert!(canonical(&-1i8).is_err());
    assert!(canonical(&u64::MAX).is_err());
}

/// What a fast reader accepts and means is what the whole value says: over well-formed texts, and
/// over texts one edit away from one.
mod without_a_value {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize, serde::Serialize)]
    #[serde(deny_unknown_fields)]
    struct Leaf {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        a: Option<Hex<2>>,
        b: Vec<u64>,
        #[serde(default)]
        kind: Kind,
    }

    #[derive(Debug, Clone, Default, PartialEq, Deserialize, serde::Serialize)]
    #[serde(rename_all = "snake_case")]
    enum Kind {
        #[default]
        Plain,
        Of(String),
        With {
            x: u64,
        },
    }

    #[derive(Debug, PartialEq, Deserialize, serde::Serialize)]
    #[serde(deny_unknown_fields)]
    struct Root {
        any: Value,
        leaf: Leaf,
        list: Vec<Leaf>,
        text: Option<Text>,
    }

    const LIMIT: usize = 1 << 16;

    /// Both ways over the same bytes.
    fn compare(bytes: &[u8]) {
        let value = parse(bytes, LIMIT);
        let canonical = value
            .as_ref()
            .is_ok_and(|value| serde_json_canonicalizer::to_vec(value).unwrap() == bytes);
        if scan::holds(bytes, Form::Free) {
            assert!(value.is_ok(), "{value:?}");
        }
        if scan::holds(bytes, Form::Canonical) {
            assert!(canonical);
        }
        assert_eq!(parse_canonical(bytes, LIMIT).is_ok(), canonical);
        if let Some(members) = canonical_members(bytes) {
            assert!(canonical);
            let map = value.as_ref().unwrap().as_object().unwrap();
            assert_eq!(members.len(), map.len());
            for ((name, place), (key, member)) in members.into_iter().zip(map) {
                assert_eq!(name, key);
                assert_eq!(bytes[place], canonical_value(member).unwrap());
            }
        }
        typed::<Root>(bytes, &value, canonical);
        typed::<Vec<Leaf>>(bytes, &value, canonical);
        typed::<Leaf>(bytes, &value, canonical);
        typed::<Kind>(bytes, &value, canonical);
        typed::<Value>(bytes, &value, canonical);
    }

    fn typed<T: DeserializeOwned + PartialEq + fmt::Debug>(
        bytes: &[u8],
        value: &Result<Value, JsonError>,
        canonical: bool,
    ) {
        let expected = value.clone().and_then(|value| decode::<T>(&value));
        assert_eq!(read::<T>(bytes, LIMIT), expected);
        let expected = match value {
            Ok(_) if !canonical => Err(JsonError::NotCanonical),
            _ => expected,
        };
        assert_eq!(read_canonical::<T>(bytes, LIMIT), expected);
        // What the scanner lets through is refused or read alike: it need not be all.
        if let Some(made) = value.is_ok().then(|| read_scanned::<T>(bytes)).flatten() {
            assert_eq!(Ok(made), decode::<T>(value.as_ref().unwrap()));
        }
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::from),
            (0..=MAX_INTEGER).prop_map(Value::from),
            "[ -~é€\n\u{1f600}]{0,6}".prop_map(Value::from),
            "[0-9a-f]{4}".prop_map(Value::from),
            Just(Value::from("plain")),
        ];
        leaf.prop_recursive(5, 40, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(
                    prop_oneof!["[a-d]", "[ -~]{0,3}", Just("b".into()), Just("kind".into())],
                    inner,
                    0..4
                )
                .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    fn roots() -> impl Strategy<Value = Value> {
        let leaf = (
            prop::option::of(any::<[u8; 2]>()),
            prop::collection::vec(0..=MAX_INTEGER, 0..3),
            prop_oneof![
                Just(Kind::Plain),
                "[a-z\"]{0,2}".prop_map(Kind::Of),
                any::<u32>().prop_map(|x| Kind::With { x: x.into() }),
            ],
        );
        let leaf = leaf.prop_map(|(a, b, kind)| Leaf {
            a: a.map(Hex),
            b,
            kind,
        });
        let root = (
            values(),
            prop::collection::vec(leaf, 1..4),
            prop::option::of("[a-zé]{1,4}"),
        );
        root.prop_map(|(any, mut list, text)| {
            let leaf = list.pop().unwrap();
            let text = text.and_then(|text| Text::try_from(text).ok());
            let mut value = serde_json::to_value(Root {
                any,
                leaf,
                list,
                text,
            })
            .unwrap();
            value
                .as_object_mut()
                .unwrap()
                .retain(|_, member| !member.is_null());
            value
        })
    }

    /// One edit: a byte removed, set or put in, or a piece doubled.
    fn edited(mut bytes: Vec<u8>, (at, what, byte): (usize, u8, u8)) -> Vec<u8> {
        let at = at.checked_rem(bytes.len()).unwrap_or(0);
        match what {
            0 => drop(bytes.remove(at)),
            1 => bytes[at] = byte,
            2 => bytes.insert(at, byte),
            3 => bytes.truncate(at),
            _ => {
                let end = at.saturating_add((byte & 7).into()).min(bytes.len());
                let piece = bytes[at..end].to_vec();
                bytes.splice(end..end, piece);
            }
        }
        bytes
    }

    fn bytes() -> impl Strategy<Value = u8> {
        prop_oneof![
            prop::sample::select(b" \n\t\"\\{}[],:0123456789-+.eEtfnu\x00\x7f\xc3\xa9a".to_vec()),
            any::<u8>(),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

        #[test]
        fn readers_agree(
            value in prop_oneof![values(), roots()],
            form in 0..3u8,
            edits in prop::collection::vec((any::<usize>(), 0..6u8, bytes()), 0..3),
        ) {
            let mut bytes = match form {
                0 => serde_json::to_vec_pretty(&value).unwrap(),
                1 => serde_json::to_vec(&value).unwrap(),
                _ => serde_json_canonicalizer::to_vec(&value).unwrap(),
            };
            compare(&bytes);
            for edit in edits {
                if !bytes.is_empty() {
                    bytes = edited(bytes, edit);
                    compare(&bytes);
                }
            }
        }

        #[test]
        fn writers_agree(value in prop_oneof![values(), roots()]) {
            let canonical = serde_json_canonicalizer::to_vec(&value).unwrap();
            prop_assert_eq!(canonical_value(&value).unwrap(), canonical.clone());
            prop_assert_eq!(super::canonical(&value).unwrap(), canonical);
            let mut pretty = serde_json::to_vec_pretty(&value).unwrap();
            pretty.push(b'\n');
            prop_assert_eq!(super::pretty(&value).unwrap(), pretty);
        }
    }

    #[test]
    fn ordinary_bytes_need_no_value() {
        let leaf = |b| Leaf {
            a: Some(Hex([1, 2])),
            b,
            kind: Kind::Plain,
        };
        let root = Root {
            any: serde_json::json!({ "c": [true, "é"] }),
            leaf: leaf(vec![0, MAX_INTEGER]),
            list: vec![leaf(vec![]), leaf(vec![7])],
            text: Text::try_from("Zoë".to_owned()).ok(),
        };
        let bytes = canonical(&root).unwrap();
        assert!(scan::holds(&bytes, Form::Canonical));
        assert_eq!(read_scanned(&bytes), Some(root));
        let pretty = pretty(&read_scanned::<Root>(&bytes).unwrap()).unwrap();
        assert!(scan::holds(&pretty, Form::Free) && !scan::holds(&pretty, Form::Canonical));
        assert!(canonical_members(&pretty).is_none());
    }

    #[test]
    fn bounds_hold_for_scanned_bytes_too() {
        let deep = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        let many = format!("[{}1]", "1,".repeat(20_000));
        for (text, good) in [(deep(16), true), (deep(17), false), (many, false)] {
            assert_eq!(parse(text.as_bytes(), LIMIT).is_ok(), good);
            assert_eq!(scan::holds(text.as_bytes(), Form::Canonical), good);
        }
        for text in [
            "{\"a\":1,\"a\":1}",
            "{\"b\":1,\"a\":1}",
            "01",
            "1 ",
            "\"\\n\"",
            "null",
            "-1",
            "9007199254740992",
            "{\"é\":1}",
        ] {
            assert!(!scan::holds(text.as_bytes(), Form::Canonical), "{text}");
            compare(text.as_bytes());
        }
        assert!(read::<Value>(b"[1]", 2).is_err() && read_canonical::<Value>(b"[1]", 2).is_err());
    }
}
