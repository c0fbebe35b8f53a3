package signeddata

// MessageDigest is the digest of the content that the signer stated; what it is
// worth says Verify.
func (m *Message) MessageDigest() []byte { return m.claimed }
