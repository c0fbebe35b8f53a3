package store

import (
	"context"

	"github.com/yinxin-gov/yinxin/ca"
)

var _ ca.Persons = (*CA)(nil)

// CertificatesOfPerson implements ca.Persons. The second condition is that of
// the index: most certificates are nobody's.
func (c *CA) CertificatesOfPerson(ctx context.Context, person string) ([]ca.Certificate, error) {
	return list(ctx, c.s.r, certificateRow.certificate, "created_at, issuer, serial", "person = ? AND person <> ''", person)
}
