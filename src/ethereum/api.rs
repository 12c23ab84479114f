//! The JSON of the beacon and builder APIs: hex with `0x` in lower case, integers as decimal strings.

pub(super) mod decimal {
    //! A 64-bit integer as a plain decimal string.

    use serde::{Deserialize as _, Deserializer, Serializer, de};

    pub(in crate::ethereum) fn serialize<S: Serializer>(
        number: &u64,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(number)
    }

    pub(in crate::ethereum) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<u64, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse::<u64>()
            .ok()
            .filter(|number| number.to_string() == text)
            .ok_or_else(|| de::Error::custom("a number is not a plain decimal string of 64 bits"))
    }
}

pub(super) mod hex_0x {
    //! Bytes as lower-case hex with `0x`.

    use serde::{Deserialize as _, Deserializer, Serializer, de};

    use crate::json::{Hex, encode_hex};

    pub(in crate::ethereum) fn serialize<const N: usize, S: Serializer>(
        bytes: &[u8; N],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format!("0x{}", encode_hex(bytes)))
    }

    pub(in crate::ethereum) fn deserialize<'de, const N: usize, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<[u8; N], D::Error> {
        let text = String::deserialize(deserializer)?;
        text.strip_prefix("0x")
            .and_then(Hex::parse)
            .map(|Hex(bytes)| bytes)
            .ok_or_else(|| de::Error::custom("not 0x and lower-case hex of the right length"))
    }
}

pub(super) mod address {
    //! An address in lower case; in any case that is one when read.

    use serde::{Deserialize as _, Deserializer, Serializer, de};

    use crate::ethereum::address::Address;

    pub(in crate::ethereum) fn serialize<S: Serializer>(
        address: &Address,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&address.to_lower_hex())
    }

    pub(in crate::ethereum) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Address, D::Error> {
        let text = String::deserialize(deserializer)?;
        let (address, _) = Address::parse_flag(&text).map_err(de::Error::custom)?;
        Ok(address)
    }
}
