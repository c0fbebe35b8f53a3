package client

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
)

// Files reads the configuration of TLS from files, PEM: the system's certificate
// with its chain, its key, and the root of the house. The certificate is read
// anew for each connection, so that a renewal counts without a restart.
func Files(certificate, key, root string) (*tls.Config, error) {
	raw, err := os.ReadFile(root)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(raw) {
		return nil, fmt.Errorf("%w: %s holds no certificate", ErrConfig, root)
	}
	read := func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(certificate, key)
		return &pair, err
	}
	if _, err := read(nil); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots, GetClientCertificate: read}, nil
}
