package approval_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/authz/identity"
)

func ExamplePayload() {
	b, err := approval.Payload(approval.Subject{
		Kind: approval.KindSealUse, ID: "use-1", Digest: strings.Repeat("0f", 32), Unit: "91350100M000100Y43", Requester: "clerk",
	}, true, "同意 <a>", "leader", time.Date(2026, 7, 1, 17, 0, 0, 5e6, time.FixedZone("CST", 8*3600)))
	fmt.Println(string(b), err)
	// Output:
	// yinxin/approval/v1
	// {"approved":true,"approver":"leader","at":"2026-07-01T09:00:00.005Z","digest_sm3":"0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f","id":"use-1","kind":"seal_use","reason":"同意 <a>","requester":"clerk","unit":"91350100M000100Y43"} <nil>
}

// Two different contents never share a payload, and what is signed reads back
// as what was approved.
func FuzzPayload(f *testing.F) {
	f.Add("use-1", "clerk", "leader", "ok", "use-1", "clerk", "leader", "ok\",\"x\":\"")
	f.Add("a", "b", "c", "d\n", "a", "b", "c", "d")
	f.Fuzz(func(t *testing.T, id1, req1, who1, why1, id2, req2, who2, why2 string) {
		at := time.UnixMilli(1782896400005)
		make := func(id, req, who, why string) []byte {
			b, err := approval.Payload(approval.Subject{
				Kind: approval.KindGrant, ID: id, Digest: strings.Repeat("0f", 32), Unit: identity.USCC("91350100M000100Y43"), Requester: req,
			}, false, why, who, at)
			if err != nil {
				return nil
			}
			_, object, ok := bytes.Cut(b, []byte("\n"))
			var back map[string]any
			if !ok || json.Unmarshal(object, &back) != nil || back["id"] != id || back["requester"] != req || back["approver"] != who || back["reason"] != why {
				t.Fatalf("reads back as %v", back)
			}
			return b
		}
		a, b := make(id1, req1, who1, why1), make(id2, req2, who2, why2)
		same := id1 == id2 && req1 == req2 && who1 == who2 && why1 == why2
		if a != nil && b != nil && bytes.Equal(a, b) != same {
			t.Errorf("%s\n%s", a, b)
		}
	})
}
