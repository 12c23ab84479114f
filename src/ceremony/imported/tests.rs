use serde_json::{Value, json};

use super::*;
use crate::crypto::identity::IdentityKey;
use crate::crypto::polynomial::Polynomial;
use crate::crypto::xof::Xof;
use crate::formats::obol_lock::LockValidator;
use crate::secret::Secret;

const N: u64 = 4;
const T: usize = 3;

fn polynomials(m: usize) -> Vec<Polynomial> {
    let mut stream = Xof::new(&[11; 32]);
    (0..m).map(|_| Polynomial::draw(&mut stream, T)).collect()
}

fn public(secret: &Scalar) -> [u8; 48] {
    G1::generator_times(secret).unwrap().to_bytes()
}

fn lock(m: usize) -> ObolLock {
    let validators = polynomials(m).into_iter().map(|f| LockValidator {
        public_key: public(&f.evaluate(0)),
        public_shares: (1..=N).map(|x| public(&f.evaluate(x))).collect(),
    });
    let validators = validators.collect();
    ObolLock {
        name: "Pool West".to_owned(),
        fork_version: [0x10, 0, 9, 0x10],
        operators: 4,
        threshold: T,
        validators,
    }
}

fn index(number: u64) -> Index {
    Index::new(number).unwrap()
}

#[test]
fn a_lock_has_one_description_and_its_own_hash() {
    let cluster = ImportedCluster::of_lock(&lock(2)).unwrap();
    assert_eq!(cluster.name().as_str(), "Pool West");
    assert_eq!(cluster.network().name(), "hoodi");
    assert_eq!(cluster.sharing().indices(), [1, 2, 3, 4]);
    assert_eq!(cluster.sharing().threshold(), T);
    // The same for everybody, and the same when it is read back.
    let read = ImportedCluster::parse(cluster.bytes()).unwrap();
    assert_eq!(read.bytes(), cluster.bytes());
    assert_eq!(read.cid(), cluster.cid());
    assert_eq!(
        ImportedCluster::of_lock(&lock(2)).unwrap().cid(),
        cluster.cid()
    );
    assert_ne!(
        ImportedCluster::of_lock(&lock(1)).unwrap().cid(),
        cluster.cid()
    );
    // Pinned: another description is another cluster in every vault.
    assert_eq!(cluster.cid().short(), "34d60bf7");
    // Nobody is named, so anybody may be an operator of it.
    let anybody = IdentityKey::from_seed(&Secret::new([1; 32]));
    assert!(cluster.admits(index(4), &anybody.public()));
    assert!(!cluster.admits(index(5), &anybody.public()));
}

#[test]
fn any_text_becomes_a_name() {
    for (text, name) in [
        ("", UNNAMED),
        ("  padded ", "padded"),
        ("two\nlines", UNNAMED),
        (&"x".repeat(64), &"x".repeat(64)),
        (&"x".repeat(65), UNNAMED),
        ("cafe\u{301}", "caf\u{e9}"),
        ("\u{202e}reversed", UNNAMED),
    ] {
        assert_eq!(named(text).unwrap().as_str(), name);
    }
}

#[test]
fn a_lock_whose_keys_do_not_fit_each_other_is_refused() {
    let refused = |change: &dyn Fn(&mut ObolLock)| {
        let mut lock = lock(2);
        change(&mut lock);
        ImportedCluster::of_lock(&lock).unwrap_err()
    };
    let stranger = public(&Scalar::from_u64(77));
    for (what, expected, change) in [
        (
            "another group key",
            "validator 1 do not lead",
            &(|lock: &mut ObolLock| lock.validators[1].public_key = stranger)
                as &dyn Fn(&mut ObolLock),
        ),
        ("another share", "not on the polynomial", &|lock| {
            lock.validators[1].public_shares[3] = stranger;
        }),
        (
            "shares of two operators swapped",
            "not on the polynomial",
            &|lock| {
                lock.validators[0].public_shares.swap(1, 2);
            },
        ),
        ("a lower threshold", "not on the polynomial", &|lock| {
            lock.threshold = 2;
        }),
        (
            "a higher threshold",
            "coefficient 3 of validator 0",
            &|lock| {
                lock.threshold = 4;
            },
        ),
        ("a key at infinity", "group key of validator 0", &|lock| {
            let mut infinity = [0; 48];
            infinity[0] = 0xc0;
            lock.validators[0].public_key = infinity;
        }),
        ("no point", "public share of validator 1", &|lock| {
            lock.validators[1].public_shares[0] = [0xff; 48];
        }),
        ("one key twice", "stands twice", &|lock| {
            lock.validators[1] = lock.validators[0].clone();
        }),
        ("a chain of nobody", "fork version 01020304", &|lock| {
            lock.fork_version = [1, 2, 3, 4];
        }),
        ("too much work", "too large", &|lock| {
            lock.threshold = MAX_WORK;
        }),
    ] {
        let error = refused(change).to_string();
        assert!(error.contains(expected), "{what}: {error}");
    }
    // On the curve and outside of the subgroup.
    let mut outside = [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef].repeat(6);
    outside[0] |= 0x80;
    let outside: [u8; 48] = outside.try_into().unwrap();
    let error = refused(&|lock: &mut ObolLock| lock.validators[0].public_shares[0] = outside);
    assert!(
        matches!(
            error,
            ImportedError::Point {
                source: PointError::NotInSubgroup,
                ..
            }
        ),
        "{error:?}"
    );
}

#[test]
fn a_description_is_read_strictly() {
    let cluster = ImportedCluster::of_lock(&lock(2)).unwrap();
    let value: Value = serde_json::from_slice(cluster.bytes()).unwrap();
    let parse = |value: &Value| ImportedCluster::parse(&json::canonical_value(value).unwrap());
    let refused = |pointer: &str, new: Value| {
        let mut changed = value.clone();
        *changed.pointer_mut(pointer).unwrap() = new;
        parse(&changed).unwrap_err().to_string()
    };
    let identity = IdentityKey::from_seed(&Secret::new([1; 32]));
    let identity = identity.public().to_string();
    let operator = |index: u64| json!({ "index": index });
    let key = value["polynomials"][0][0].clone();
    for (pointer, new, expected) in [
        ("/version", json!(2), "version 2"),
        ("/epoch", json!(1), "epoch 1"),
        ("/kind", json!("keygen"), "is not valid"),
        ("/name", json!(""), "is not valid"),
        ("/threshold", json!(2), "number of coefficients"),
        ("/threshold", json!(1), "impossible"),
        ("/threshold", json!(5), "impossible"),
        ("/polynomials", json!([]), "no validator"),
        (
            "/polynomials/0/0",
            json!("c0".to_owned() + &"00".repeat(47)),
            "coefficient of validator 0",
        ),
        (
            "/polynomials/1/0",
            json!("ff".repeat(48)),
            "coefficient of validator 1",
        ),
        ("/polynomials/1", json!([key]), "number of coefficients"),
        (
            "/polynomials/1",
            value["polynomials"][0].clone(),
            "stands twice",
        ),
        ("/operators", json!([operator(1)]), "impossible"),
        (
            "/operators",
            json!((1..=257).map(operator).collect::<Vec<_>>()),
            "impossible",
        ),
        ("/operators/1", operator(1), "order of distinct"),
        ("/operators/0/index", json!(0), "is not valid"),
        (
            "/operators/0",
            json!({ "index": 1, "identity": identity }),
            "some have none",
        ),
        (
            "/operators",
            json!(
                (1..=4)
                    .map(|i| json!({ "index": i, "identity": identity }))
                    .collect::<Vec<_>>()
            ),
            "one name or identity",
        ),
        (
            "/operators",
            json!(
                (1..=4)
                    .map(|i| json!({ "index": i, "name": "Ana" }))
                    .collect::<Vec<_>>()
            ),
            "one name or identity",
        ),
        (
            "/operators/0",
            json!({ "index": 1, "other": 1 }),
            "is not valid",
        ),
    ] {
        let error = refused(pointer, new.clone());
        assert!(error.contains(expected), "{pointer} {new}: {error}");
    }
    let pretty = serde_json::to_vec_pretty(&value).unwrap();
    let error = ImportedCluster::parse(&pretty).unwrap_err();
    assert_eq!(error, ImportedError::Json(JsonError::NotCanonical));
    // A cluster that names identities keeps to them.
    let mut named = value.clone();
    let seeds = [1u8, 2, 3, 4];
    let keys = seeds.map(|seed| IdentityKey::from_seed(&Secret::new([seed; 32])).public());
    for (row, key) in named["operators"]
        .as_array_mut()
        .unwrap()
        .iter_mut()
        .zip(&keys)
    {
        row["identity"] = json!(key.to_string());
    }
    let named = parse(&named).unwrap();
    assert!(named.admits(index(2), &keys[1]));
    assert!(!named.admits(index(1), &keys[1]));
}

#[test]
fn shares_in_the_vaults_form_are_held_against_the_cluster() {
    let cluster = ImportedCluster::of_lock(&lock(2)).unwrap();
    let shares = |x: u64| polynomials(2).iter().map(|f| f.evaluate(x)).collect();
    let own = cluster.own_shares(index(2), shares(2));
    let blob = own.to_blob().unwrap();
    let read = OwnShares::from_blob(&blob).unwrap();
    assert_eq!(cluster.differs(&read), None);
    // Another operator's shares under this index do not pass the vault's own check.
    let wrong = cluster.own_shares(index(1), shares(2)).to_blob().unwrap();
    OwnShares::from_blob(&wrong).unwrap_err();
    for (what, change) in [
        (
            "another cluster",
            &(|own: &mut OwnShares| own.cid = Digest::from_bytes([9; 32]))
                as &dyn Fn(&mut OwnShares),
        ),
        ("another origin", &|own| {
            own.transcript = Digest::from_bytes([9; 32])
        }),
        ("another origin", &|own| {
            own.deals.push(crate::protocol::confirm::SeenDeal {
                payload: Digest::from_bytes([3; 32]),
                signature: Hex([4; 64]),
            });
        }),
        ("other keys", &|own| {
            own.sharing = ImportedCluster::of_lock(&lock(1))
                .unwrap()
                .sharing()
                .clone()
        }),
    ] {
        let mut own = OwnShares::from_blob(&blob).unwrap();
        change(&mut own);
        assert_eq!(cluster.differs(&own), Some(what));
    }
}

/// Keys of files, by operator and validator.
fn found(pairs: &[(u64, usize)]) -> Vec<(String, [u8; 48])> {
    let polynomials = polynomials(2);
    let named = pairs.iter().enumerate().map(|(number, (x, v))| {
        (
            format!("{number}.json"),
            public(&polynomials[*v].evaluate(*x)),
        )
    });
    named.collect()
}

#[test]
fn files_are_one_operators_shares_of_every_validator() {
    let cluster = ImportedCluster::of_lock(&lock(2)).unwrap();
    let judge = |files: &[(String, [u8; 48])], mine| {
        of_one_operator(cluster.sharing(), cluster.places(), files, mine)
    };
    assert_eq!(judge(&found(&[(2, 0), (2, 1)]), None), Ok((2, vec![0, 1])));
    assert_eq!(
        judge(&found(&[(4, 1), (4, 0)]), Some(4)),
        Ok((4, vec![1, 0]))
    );
    let refused = |files: &[(String, [u8; 48])], mine| judge(files, mine).unwrap_err();
    let mut stranger = found(&[(2, 0), (2, 1)]);
    stranger[1].1 = public(&Scalar::from_u64(5));
    for (files, mine, expected) in [
        (
            found(&[(2, 0), (3, 1)]),
            None,
            "1.json: it holds the share of operator 3 for validator 1, and 0.json one of operator 2",
        ),
        (
            found(&[(2, 0), (2, 1)]),
            Some(3),
            "this home is operator 3's",
        ),
        (
            found(&[(2, 0), (2, 0)]),
            None,
            "1.json: it holds the same share as 0.json",
        ),
        (
            found(&[(2, 1)]),
            None,
            "no keystore holds the share of validator 0",
        ),
        (found(&[]), None, "validator 0"),
        (
            found(&[(0, 0), (2, 1)]),
            None,
            "0.json: it holds the whole key of validator 0",
        ),
        (stranger, None, "1.json: its key"),
    ] {
        let problems = refused(&files, mine);
        assert!(problems[0].contains(expected), "{expected}: {problems:?}");
    }
    // All files are named, up to a bound.
    let many = found(&vec![(2, 0); 80]);
    let problems = refused(&many, None);
    assert_eq!(problems.len(), 51);
    assert_eq!(problems[50], "and 29 more");
}
