//! Signing with a private key in memory, for certificates: what russh has for them signs RSA with SHA-1's name.

use std::sync::Arc;

use russh::keys::agent::AgentIdentity;
use russh::keys::signature::Signer as _;
use russh::keys::ssh_key::private::KeypairData;
use russh::keys::{HashAlg, PrivateKey};
use russh::{SendError, Signer};

pub struct Pen {
    pub key: Arc<PrivateKey>,
}

pub struct PenError(pub String);

impl From<SendError> for PenError {
    fn from(_: SendError) -> PenError {
        PenError("the connection was lost".to_owned())
    }
}

impl Signer for Pen {
    type Error = PenError;

    async fn auth_sign(
        &mut self,
        _: &AgentIdentity,
        hash: Option<HashAlg>,
        mut to_sign: Vec<u8>,
    ) -> Result<Vec<u8>, PenError> {
        let signature = match self.key.key_data() {
            KeypairData::Rsa(rsa) => (rsa, hash).try_sign(&to_sign),
            other => other.try_sign(&to_sign),
        };
        let bytes = signature.map_err(|error| PenError(error.to_string())).and_then(|signature| {
            Vec::<u8>::try_from(signature).map_err(|error| PenError(error.to_string()))
        })?;
        let length = u32::try_from(bytes.len()).map_err(|error| PenError(error.to_string()))?;
        to_sign.extend(length.to_be_bytes());
        to_sign.extend(bytes);
        Ok(to_sign)
    }
}
