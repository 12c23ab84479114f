//! BLS signatures of the beacon chain: keys in G1, signatures in G2, the proof-of-possession
//! ciphersuite `BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_` (draft-irtf-cfrg-bls-signature).
#![expect(unsafe_code, reason = "calls blst")]

use blst::{blst_fp12, blst_p1_affine, blst_p2, blst_p2_affine, blst_scalar};
use rayon::prelude::*;

use crate::crypto::lagrange::Coefficients;
use crate::crypto::point::{G1, G1Sum, G2, G2Sum};
use crate::crypto::scalar::Scalar;
use crate::crypto::small_sums;
use crate::crypto::xof::Xof;
use crate::json::encode_hex;

/// Domain separation of the ciphersuite.
const DST: &[u8] = b"BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_";

/// Messages that one thread handles with one Miller loop and one multi-scalar multiplication, at
/// least and at most: the latter gains from size, and threads want work to share.
const MESSAGES_PER_CHUNK: (usize, usize) = (32, 512);

/// Keys of a message for which sums in step are faster than one after another.
const KEYS_IN_STEP: std::ops::RangeInclusive<usize> = 2..=32;

/// What a BLS key of a validator signs: a root that was computed here from a typed object, never one
/// that came from outside.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SigningRoot(pub [u8; 32]);

impl std::fmt::Debug for SigningRoot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&encode_hex(&self.0))
    }
}

/// Returns the public key of a secret key, or nothing for zero.
pub fn public_key(secret: &Scalar) -> Option<G1> {
    G1::generator_times(secret)
}

/// Signs in constant time; nothing for a zero key. With a share as key this is a partial signature.
pub fn sign(secret: &Scalar, root: &SigningRoot) -> Option<G2> {
    if secret.is_zero() {
        return None;
    }
    let hash = hash_to_g2_sum(&root.0);
    let secret = secret.to_blst();
    let mut out = blst_p2::default();
    // SAFETY: all point to live values.
    unsafe { blst::blst_sign_pk_in_g1(&raw mut out, &raw const hash.0, &raw const secret) };
    G2Sum(out).finite()
}

/// Hashes a message to G2 under the ciphersuite's domain separation; nothing for the one message
/// in 2^255 that hashes to infinity.
pub fn hash_to_g2(message: &[u8]) -> Option<G2> {
    hash_to_g2_sum(message).finite()
}

fn hash_to_g2_sum(message: &[u8]) -> G2Sum {
    let mut out = blst_p2::default();
    // SAFETY: every pointer comes with its own length; the augmentation is empty.
    unsafe {
        blst::blst_hash_to_g2(
            &raw mut out,
            message.as_ptr(),
            message.len(),
            DST.as_ptr(),
            DST.len(),
            std::ptr::null(),
            0,
        );
    }
    G2Sum(out)
}

/// Verifies one signature.
pub fn verify(key: &G1, root: &SigningRoot, signature: &G2) -> bool {
    let Some(hash) = hash_to_g2(&root.0) else {
        return false;
    };
    pairing_product_is_one(&[(*key, hash), (G1::generator().negated(), *signature)])
}

/// One message with the signatures of several keys over it.
#[derive(Debug, Clone)]
pub struct Signed {
    /// What was signed.
    pub root: SigningRoot,
    /// Key and signature of each signer.
    pub signatures: Vec<(G1, G2)>,
}

/// Verifies all signatures over all messages with one product of pairings:
/// `e(-G, sum rho * sigma) * prod_M e(sum rho * Y, H(M)) = 1`, a separate 128-bit rho for every
/// signature out of `seed`, which must not be known to whoever made the signatures (local
/// randomness, or a hash of everything that is checked). A wrong one passes with probability 2^-128.
pub fn verify_all(messages: &[Signed], seed: &[u8; 32]) -> bool {
    let mut stream = Xof::new(seed);
    let weights: Vec<Vec<[u8; 16]>> = messages
        .iter()
        .map(|message| stream.weights(message.signatures.len()))
        .collect();
    let shares = rayon::current_num_threads().saturating_mul(2).max(1);
    let (least, most) = MESSAGES_PER_CHUNK;
    let chunk = messages.len().div_ceil(shares).clamp(least, most);
    let parts: Option<Vec<(blst_fp12, G2Sum)>> = messages
        .par_chunks(chunk)
        .zip(weights.par_chunks(chunk))
        .map(|(messages, weights)| {
            let mut pairs = Vec::with_capacity(messages.len());
            let mut signatures = Vec::new();
            for (message, sum) in messages.iter().zip(key_sums(messages, weights)) {
                // A sum of keys at infinity pairs to one.
                if let Some(key) = sum.finite() {
                    pairs.push((key, hash_to_g2(&message.root.0)?));
                }
                signatures.extend(message.signatures.iter().map(|(_, signature)| *signature));
            }
            Some((
                miller_loop(&pairs),
                G2Sum::msm_serial(&signatures, &weights.concat()),
            ))
        })
        .collect();
    let Some(parts) = parts else { return false };
    let mut product = one();
    let mut total = G2Sum::infinity();
    for (factor, sum) in &parts {
        // SAFETY: all point to live values; blst allows the output to be an input.
        unsafe {
            let this = &raw mut product;
            blst::blst_fp12_mul(this, this, factor);
        }
        total.add_sum(sum);
    }
    if let Some(total) = total.finite() {
        let last = miller_loop(&[(G1::generator().negated(), total)]);
        // SAFETY: as above.
        unsafe {
            let this = &raw mut product;
            blst::blst_fp12_mul(this, this, &raw const last);
        }
    }
    final_exponentiation_is_one(&product)
}

/// The weighted sum of each message's keys.
fn key_sums(messages: &[Signed], weights: &[Vec<[u8; 16]>]) -> Vec<G1Sum> {
    let keys: Vec<Vec<G1>> = messages
        .iter()
        .map(|message| message.signatures.iter().map(|(key, _)| *key).collect())
        .collect();
    let terms = keys.iter().map(Vec::as_slice);
    let terms: Vec<_> = terms.zip(weights.iter().map(Vec::as_slice)).collect();
    if keys.iter().all(|keys| KEYS_IN_STEP.contains(&keys.len())) {
        return small_sums::sums(&terms);
    }
    let sum = |(keys, weights): &(&[G1], &[[u8; 16]])| G1Sum::msm_serial(keys, weights);
    terms.iter().map(sum).collect()
}

/// Verifies independent (key, root, signature) triples in one product.
pub fn verify_batch(items: &[(G1, SigningRoot, G2)], seed: &[u8; 32]) -> bool {
    let messages: Vec<Signed> = items
        .iter()
        .map(|(key, root, signature)| Signed {
            root: *root,
            signatures: vec![(*key, *signature)],
        })
        .collect();
    verify_all(&messages, seed)
}

/// Returns the positions of the triples that do not verify, ascending: one batch when all do, and
/// batches of a sixteenth each, again and again, where one fails. A few bad ones among thousands
/// cost about twice the batch.
pub fn find_invalid(items: &[(G1, SigningRoot, G2)], seed: &[u8; 32]) -> Vec<usize> {
    const PARTS: usize = 16;
    fn search(items: &[(usize, (G1, SigningRoot, G2))], seed: &[u8; 32]) -> Vec<usize> {
        let triples: Vec<_> = items.iter().map(|(_, item)| *item).collect();
        if verify_batch(&triples, seed) {
            return Vec::new();
        }
        if items.len() <= PARTS {
            return items
                .par_iter()
                .filter(|(_, (key, root, signature))| !verify(key, root, signature))
                .map(|(position, _)| *position)
                .collect();
        }
        items
            .par_chunks(items.len().div_ceil(PARTS))
            .flat_map_iter(|part| search(part, seed))
            .collect()
    }
    let numbered: Vec<_> = items.iter().copied().enumerate().collect();
    search(&numbered, seed)
}

/// Combines partial signatures of distinct, non-zero indices into the signature of the shared key
/// (Boldyreva, PKC 2003). Exactly threshold many must be given; the result is to be verified.
/// Returns nothing for unusable indices or counts.
pub fn combine(indices: &[u64], partials: &[G2]) -> Option<G2> {
    if indices.len() != partials.len() {
        return None;
    }
    combine_with(&Coefficients::at_zero(indices)?, partials)
}

/// [`combine`] with coefficients computed once for many signatures.
pub fn combine_with(coefficients: &Coefficients, partials: &[G2]) -> Option<G2> {
    let mut sum = G2Sum::infinity();
    match coefficients {
        Coefficients::Small {
            numerators,
            denominator,
        } => {
            if numerators.len() != partials.len() {
                return None;
            }
            for ((negative, numerator), partial) in numerators.iter().zip(partials) {
                let mut term = G2Sum::from(*partial).times_small(*numerator);
                if *negative {
                    term.negate();
                }
                sum.add_sum(&term);
            }
            if *denominator != 1 {
                sum = sum.times(&Scalar::from_u64(*denominator).invert()?);
            }
        }
        Coefficients::Field(field) => {
            if field.len() != partials.len() {
                return None;
            }
            let weights: Vec<[u8; 32]> = field.iter().map(|scalar| scalar.to_blst().b).collect();
            sum = G2Sum::msm_serial(partials, &weights);
        }
    }
    sum.finite()
}

/// Derives a master key from at least 32 bytes of seed (EIP-2333); nothing for a shorter one.
pub fn derive_master_eip2333(seed: &[u8]) -> Option<Scalar> {
    if seed.len() < 32 {
        return None;
    }
    let mut out = blst_scalar::default();
    // SAFETY: the pointer comes with its length; `out` is a live value.
    unsafe { blst::blst_derive_master_eip2333(&raw mut out, seed.as_ptr(), seed.len()) };
    Some(Scalar::from_blst(&out))
}

/// Derives a child key (EIP-2333).
pub fn derive_child_eip2333(parent: &Scalar, index: u32) -> Scalar {
    let parent = parent.to_blst();
    let mut out = blst_scalar::default();
    // SAFETY: both point to live values.
    unsafe { blst::blst_derive_child_eip2333(&raw mut out, &raw const parent, index) };
    Scalar::from_blst(&out)
}

fn one() -> blst_fp12 {
    // SAFETY: blst returns a pointer to a constant.
    unsafe { *blst::blst_fp12_one() }
}

fn pairing_product_is_one(pairs: &[(G1, G2)]) -> bool {
    final_exponentiation_is_one(&miller_loop(pairs))
}

fn miller_loop(pairs: &[(G1, G2)]) -> blst_fp12 {
    if pairs.is_empty() {
        return one();
    }
    let keys: Vec<G1> = pairs.iter().map(|(key, _)| *key).collect();
    let hashes: Vec<G2> = pairs.iter().map(|(_, hash)| *hash).collect();
    let key_pointers = [keys.as_ptr().cast::<blst_p1_affine>(), std::ptr::null()];
    let hash_pointers = [hashes.as_ptr().cast::<blst_p2_affine>(), std::ptr::null()];
    let mut out = blst_fp12::default();
    // SAFETY: pointer-then-null marks contiguous inputs of `pairs.len()` points each, in vectors
    // that live until the end of this function.
    unsafe {
        blst::blst_miller_loop_n(
            &raw mut out,
            hash_pointers.as_ptr(),
            key_pointers.as_ptr(),
            pairs.len(),
        );
    }
    out
}

fn final_exponentiation_is_one(product: &blst_fp12) -> bool {
    let mut out = blst_fp12::default();
    // SAFETY: both point to live values.
    unsafe {
        blst::blst_final_exp(&raw mut out, product);
        blst::blst_fp12_is_one(&raw const out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::polynomial::Polynomial;
    use crate::crypto::xof::weight_scalar;
    use crate::json::Hex;

    fn n(n: u64) -> Scalar {
        Scalar::from_u64(n)
    }

    fn root(byte: u8) -> SigningRoot {
        SigningRoot([byte; 32])
    }

    fn signed(key: u64, message: u8) -> (G1, G2) {
        (
            public_key(&n(key)).unwrap(),
            sign(&n(key), &root(message)).unwrap(),
        )
    }

    #[test]
    fn a_signature_verifies_for_its_key_and_message_only() {
        let (key, signature) = signed(5, 1);
        assert!(verify(&key, &root(1), &signature));
        assert!(!verify(&key, &root(2), &signature));
        assert!(!verify(&signed(6, 1).0, &root(1), &signature));
        assert!(sign(&n(0), &root(1)).is_none());
    }

    #[test]
    fn what_does_not_verify_is_found_among_few_and_many() {
        for (count, bad) in [
            (1, vec![0]),
            (5, vec![3]),
            (40, vec![3, 17, 39]),
            (40, vec![]),
        ] {
            let items: Vec<_> = (0..count)
                .map(|at| {
                    let (key, signature) = signed(5, at);
                    let message = if bad.contains(&usize::from(at)) {
                        99
                    } else {
                        at
                    };
                    (key, root(message), signature)
                })
                .collect();
            assert_eq!(verify_batch(&items, &[1; 32]), bad.is_empty());
            assert_eq!(find_invalid(&items, &[1; 32]), bad);
        }
    }

    /// EIP-2333, test case 0.
    #[test]
    fn keys_are_derived_as_the_standard_prints() {
        let seed: Hex<64> = Hex::parse("c55257c360c07c72029aebc1b53c05ed0362ada38ead3e3e9efa3708e53495531f09a6987599d18264c1e1c92f2cf141630c7a3c4ab7c81b2f001698e7463b04").unwrap();
        let master = derive_master_eip2333(&seed.0).unwrap();
        // 6083874454709270928345386274498605044986640685124978867557563392430687146096
        assert_eq!(
            encode_hex(&master.to_public_bytes()),
            "0d7359d57963ab8fbbde1852dcf553fedbc31f464d80ee7d40ae683122b45070"
        );
        // 20397789859736650942317412262472558107875392172444076792671091975210932703118
        let child = derive_child_eip2333(&master, 0);
        assert_eq!(
            encode_hex(&child.to_public_bytes()),
            "2d18bd6c14e6d15bf8b5085c9b74f3daae3b03cc2014770a599d8c1539e50f8e"
        );
        assert!(derive_master_eip2333(&[7; 31]).is_none());
        assert!(derive_master_eip2333(&[7; 32]).is_some());
    }

    #[test]
    fn a_root_shows_its_bytes() {
        assert_eq!(format!("{:?}", root(0xab)), "ab".repeat(32));
    }

    #[test]
    fn a_batch_fails_with_any_one_of_its_signatures() {
        let messages: Vec<Signed> = (0..70)
            .map(|m| Signed {
                root: root(m),
                signatures: (1..=3).map(|key| signed(key, m)).collect(),
            })
            .collect();
        assert!(verify_all(&messages, &[1; 32]));
        assert!(verify_all(&[], &[1; 32]));
        for (m, s) in [(0, 0), (31, 2), (32, 1), (69, 2)] {
            let mut wrong = messages.clone();
            wrong[m].signatures[s].1 = signed(9, 9).1;
            assert!(!verify_all(&wrong, &[1; 32]));
        }
        // Two errors that cancel in an unweighted sum.
        let mut wrong = messages;
        let (a, b) = (wrong[3].signatures[0].1, wrong[3].signatures[1].1);
        wrong[3].signatures[0].1 = b;
        wrong[3].signatures[1].1 = a;
        assert!(!verify_all(&wrong, &[1; 32]));
    }

    #[test]
    fn every_bad_one_of_a_batch_is_found_and_no_other() {
        let good: Vec<_> = (0..70u8)
            .map(|m| {
                let (key, signature) = signed(u64::from(m) + 1, m);
                (key, root(m), signature)
            })
            .collect();
        assert!(find_invalid(&good, &[1; 32]).is_empty());
        assert!(find_invalid(&[], &[1; 32]).is_empty());
        for bad in [vec![0], vec![69], vec![3, 4, 40], (0..70).collect()] {
            let mut items = good.clone();
            for at in &bad {
                items[*at].1 = root(200);
            }
            assert_eq!(find_invalid(&items, &[1; 32]), bad);
        }
        // Two errors that cancel in an unweighted sum.
        let mut items = good;
        let (first, second) = (items[7].2, items[8].2);
        (items[7].2, items[8].2) = (second, first);
        assert_eq!(find_invalid(&items, &[1; 32]), [7, 8]);
    }

    #[test]
    fn any_t_partials_give_the_same_signature() {
        let f = Polynomial::draw(&mut Xof::new(&[2; 32]), 3);
        let expected = sign(&f.evaluate(0), &root(7)).unwrap();
        let large = (1 << 53) - 1;
        for indices in [
            [1u64, 2, 3],
            [1, 2, 4],
            [4, 7, 2],
            [1, 9, large],
            [large, large - 2, 5],
        ] {
            let partials = indices.map(|x| sign(&f.evaluate(x), &root(7)).unwrap());
            assert_eq!(combine(&indices, &partials), Some(expected), "{indices:?}");
            assert_ne!(combine(&indices[..2], &partials[..2]), Some(expected));
        }
        let partial = sign(&f.evaluate(1), &root(7)).unwrap();
        assert!(combine(&[1, 1, 2], &[partial; 3]).is_none());
        assert!(combine(&[0, 1, 2], &[partial; 3]).is_none());
        assert!(combine(&[1, 2], &[partial; 3]).is_none());
    }

    #[test]
    fn weights_are_the_streams_blocks() {
        // The verification above uses `Xof::weights`; a proof uses `weight_scalar`. They must agree.
        let weight = Xof::new(&[1; 32]).weight();
        let by_msm = G1Sum::msm(&[G1::generator()], &[weight]).finite();
        assert_eq!(by_msm, G1::generator_times(&weight_scalar(&weight)));
    }
}
