package main

import (
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/cms/signeddata"
	"github.com/yinxin-gov/yinxin/signer/tsa"
)

// stampTimeout is how long a time-stamp service may take.
const stampTimeout = 20 * time.Second

// timeStamps is the time-stamp service at an address, asked with the digest of the
// signer's own algorithm.
func timeStamps(address string, certDER []byte) (signer.Stamper, error) {
	digest, err := signeddata.DigestFor(certDER)
	if err != nil {
		return nil, err
	}
	return stampsBy(address, digest)
}

// stampsBy is the same with a digest that the caller names.
func stampsBy(address string, digest signeddata.Digest) (signer.Stamper, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("--tsa-url %q is no http or https address", address)
	}
	return tsa.Client{URL: address, HTTP: &http.Client{Timeout: stampTimeout}, Digest: digest}, nil
}
