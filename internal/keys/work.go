package keys

// Work is what one try at a passphrase costs: the N of scrypt. The zero value is
// production's; what was written with less does not open under it. Only tests,
// which make keys by the hundred, ask for less: no setting and no flag leads here.
type Work struct {
	File int // of key files and custodians' shares; 0: scryptN. Also the least that is opened
	PIN  int // of a person's PIN; 0: pinScryptN
}

func (w Work) file() int {
	if w.File == 0 {
		return scryptN
	}
	return w.File
}

func (w Work) pin() int {
	if w.PIN == 0 {
		return pinScryptN
	}
	return w.PIN
}
