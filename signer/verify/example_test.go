package verify_test

import (
	"context"
	"fmt"
	"time"

	"github.com/yinxin-gov/yinxin/signer/ofd"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

func ExampleDocument() {
	data, err := ofd.NewNotice(ofd.Notice{
		Title: "通知", Issuer: "东湖区数据局", Body: []string{"正文。"}, Date: time.Date(2026, 3, 9, 0, 0, 0, 0, time.UTC),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	rep, err := verify.Document(context.Background(), data, verify.Options{File: "notice.ofd"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(rep.Verdict, rep.Integrity, len(rep.Signatures))
	// Output: indeterminate unsigned 0
}
