//! The number types of tensors in files.

pub(super) use safetensors::Dtype;

use crate::Scalar;

/// The type of a network's numbers in files.
pub(super) fn dtype<F: Scalar>() -> Dtype {
    if size_of::<F>() == size_of::<f32>() { Dtype::F32 } else { Dtype::F64 }
}

/// The name of a type in messages and headers.
pub(super) fn name(dtype: Dtype) -> String {
    format!("{dtype:?}")
}

/// Whether the type is a floating-point type that a network can be loaded from.
pub(super) fn is_float(dtype: Dtype) -> bool {
    matches!(dtype, Dtype::F16 | Dtype::BF16 | Dtype::F32 | Dtype::F64)
}

/// The little-endian bytes of `values` in the type [`dtype`].
pub(super) fn encode<F: Scalar>(values: impl Iterator<Item = F>) -> Vec<u8> {
    match dtype::<F>() {
        Dtype::F32 => values.flat_map(|value| (value.as_f64() as f32).to_le_bytes()).collect(),
        _ => values.flat_map(|value| value.as_f64().to_le_bytes()).collect(),
    }
}

/// Numbers from their bytes, rounded to `F`; `None` for types that are neither floating-point types
/// nor integers.
pub(super) fn decode<F: Scalar>(dtype: Dtype, bytes: &[u8]) -> Option<Vec<F>> {
    match dtype {
        Dtype::F16 => Some(numbers(bytes, |bytes| f16_to_f64(u16::from_le_bytes(bytes)))),
        // The upper half of an f32.
        Dtype::BF16 => {
            let widen = |bytes| f32::from_bits(u32::from(u16::from_le_bytes(bytes)) << 16);
            Some(numbers(bytes, |bytes| f64::from(widen(bytes))))
        }
        Dtype::F32 => Some(numbers(bytes, |bytes| f64::from(f32::from_le_bytes(bytes)))),
        Dtype::F64 => Some(numbers(bytes, f64::from_le_bytes)),
        Dtype::BOOL | Dtype::U8 => Some(numbers(bytes, |[byte]| f64::from(byte))),
        Dtype::I8 => Some(numbers(bytes, |bytes| f64::from(i8::from_le_bytes(bytes)))),
        Dtype::I16 => Some(numbers(bytes, |bytes| f64::from(i16::from_le_bytes(bytes)))),
        Dtype::U16 => Some(numbers(bytes, |bytes| f64::from(u16::from_le_bytes(bytes)))),
        Dtype::I32 => Some(numbers(bytes, |bytes| f64::from(i32::from_le_bytes(bytes)))),
        Dtype::U32 => Some(numbers(bytes, |bytes| f64::from(u32::from_le_bytes(bytes)))),
        Dtype::I64 => Some(numbers(bytes, |bytes| i64::from_le_bytes(bytes) as f64)),
        Dtype::U64 => Some(numbers(bytes, |bytes| u64::from_le_bytes(bytes) as f64)),
        _ => None,
    }
}

fn numbers<F: Scalar, const SIZE: usize>(bytes: &[u8], number: impl Fn([u8; SIZE]) -> f64) -> Vec<F> {
    let (chunks, _) = bytes.as_chunks::<SIZE>();
    chunks.iter().map(|&chunk| F::of(number(chunk))).collect()
}

/// IEEE 754 binary16: 1 bit of sign, 5 of exponent, 10 of fraction.
fn f16_to_f64(bits: u16) -> f64 {
    let (exponent, fraction) = (i32::from(bits >> 10 & 0x1f), f64::from(bits & 0x3ff));
    let magnitude = match exponent {
        0 => fraction * 2_f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1.0 + fraction / 1024.0) * 2_f64.powi(exponent - 15),
    };
    if bits >> 15 == 1 { -magnitude } else { magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_precision_numbers_are_those_of_numpy() {
        // numpy.array([1.0, -2.5, 65504.0, 0.1, 2**-24, -2**-14,
        // 0.0]).astype(numpy.float16).view(numpy.uint16)
        let bits = [0x3c00, 0xc100, 0x7bff, 0x2e66, 0x0001, 0x8400, 0x0000];
        let values = [1.0, -2.5, 65504.0, 0.0999755859375, 2_f64.powi(-24), -(2_f64.powi(-14)), 0.0];
        assert_eq!(bits.map(f16_to_f64), values);
        assert!(f16_to_f64(0x8000).is_sign_negative());
        assert_eq!(f16_to_f64(0xfc00), f64::NEG_INFINITY);
        assert!(f16_to_f64(0x7e01).is_nan());
    }

    #[test]
    fn brain_floats_are_the_upper_half_of_an_f32() {
        let bytes: Vec<u8> = [0x3f80_u16, 0xc049, 0x0001].into_iter().flat_map(u16::to_le_bytes).collect();
        let values = decode::<f64>(Dtype::BF16, &bytes).unwrap();
        assert_eq!(values, [1.0, -3.140625, f64::from(f32::from_bits(0x0001_0000))]);
    }
}
