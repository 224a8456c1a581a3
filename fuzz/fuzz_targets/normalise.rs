#![no_main]

use tequio_kernel::normalise;

// What is normalised is the same when it is normalised again, whoever wrote it.
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(normalised) = normalise(bytes) {
        let again = normalise(&normalised.bytes).expect("what was normalised is accepted");
        assert_eq!(again.bytes, normalised.bytes);
        assert_eq!(again.shape, normalised.shape);
    }
});
