//! Known signatures by which a host shows whether it verifies.

use super::verify::Verifier;
use crate::config::auth::Algorithm;

/// Whether a host accepts good signatures of both kinds, and no other.
pub(super) fn right(host: &dyn Verifier) -> bool {
    [
        (Algorithm::RS256, RSA_KEY, RSA_SIGNATURE),
        (Algorithm::ES256, EC_KEY, EC_SIGNATURE),
    ]
    .into_iter()
    .all(|(alg, key, signature)| {
        let (key, signature) = (hex(key), hex(signature));
        let mut broken = signature.clone();
        if let Some(last) = broken.last_mut() {
            *last ^= 1;
        }
        host.verify(alg, &key, MESSAGE, &signature) == Some(true)
            && host.verify(alg, &key, MESSAGE, &broken) == Some(false)
            && host.verify(alg, &key, b"another message", &signature) == Some(false)
    })
}

fn hex(text: &str) -> Vec<u8> {
    text.as_bytes()
        .chunks_exact(2)
        .filter_map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

const MESSAGE: &[u8] = b"promfence asks whether the host verifies";
const RSA_KEY: &str = "\
     30820122300d06092a864886f70d01010105000382010f003082010a0282010100cabddfb553eb2edcbf01cf\
     35d986236b040422fe3118e12ff41646d904351d5daaf642eeedd077a7e9c94aa7f31aadb5a17fca4965d899\
     11d2ef041d9065be885412869d33df317e751df93a5312cfbc76fbf80a1861f0778aa650fa73ef7b30dd54b2\
     b7317ac64d09d78f6909910890d46beef6594b681dbb1c74d61f9146d35086af9a8a3a0af728e7ad5fdd1289\
     8db87b8232d469cb9f231ce2fc7ca48b18a1e7bd0a1f783a348f9d3d09e51479b57b69a657765bb2aae93fd8\
     e7cb6b5c5ae49d25e1f0619746d80a6658d018cdcc068ff9c08c3248be70a4ee7a34f729716da64985f829af\
     c03e85fc1b1a555ef091aa01cc44a77c0b9723357ee4b771630203010001";
const RSA_SIGNATURE: &str = "\
     2c677328199958761cce9aa5a0b850d98a3808c9634f722ca73643ede18152a90b3d8f23bf8d8bf6855de2f1\
     4e5d68f81f900017cbc35014646a66da7d8fb248f6211375ea4fe90f34face891f4620691b33c8dd19c1fe8a\
     df9e60c016701203fed6751c5c0e6e865d86e118e6ec21a466b54c5eb78f0951f3b6cd0c2701cacc272a4474\
     4a8a0338cf67313536fcd1897e6fb9365f433814d88aa588c668cc79a2d70c8c996cb2f20e4a1de986866aca\
     b8305238f76e75fe71d90ef8be79e525bbdbda5c5c67634ccd0ea1b7852229529316e2acd44cdcfce61cf8e3\
     61c318453d93a57e732b70f509ea7f60349f59e8ff8f3ec13765e7e8af963d12fe26a11d";
const EC_KEY: &str = "\
     3059301306072a8648ce3d020106082a8648ce3d03010703420004e4c1e25f5fa7c9c0e01a020febe06f654f\
     a2fe59292faed150cbe5fab1f371c5ded112674e76d934ddd11e8d3f3fcdd13341ebedb93fb9a373f1bba2b6\
     6453dc";
const EC_SIGNATURE: &str = "\
     3046022100e30fc83e9d6289f0c2ac65e490177292c397a27889b43e809198253988914cf80221008cbfaff9\
     278a0a74dca78a1e5049a796303a14c5cb01592aa394d372968483c9";
