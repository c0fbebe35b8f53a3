package keystest

import "github.com/yinxin-gov/yinxin/internal/keys"

// Work costs nothing and protects nothing: for tests that make keys by the
// hundred and are not about passphrases.
func Work() keys.Work { return keys.Work{File: 2, PIN: 2} }
