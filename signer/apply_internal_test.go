package signer

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/signer/ofd"
)

// The check before anything leaves refuses what a receiver would refuse; the
// error path cannot be reached from outside while the writer is right.
func TestSelfCheckRefuses(t *testing.T) {
	doc, err := ofd.NewNotice(ofd.Notice{Title: "通知", Body: []string{"内容"}, Issuer: "样例", Date: time.Unix(0, 0)})
	if err != nil {
		t.Fatal(err)
	}
	p := &Prepared{job: Job{Time: time.Unix(0, 0)}}
	for name, out := range map[string][]byte{"unsealed": doc, "no document": []byte("x")} {
		if err := p.check(context.Background(), out); !errors.Is(err, ErrSelfCheck) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
