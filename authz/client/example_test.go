package client_test

import (
	"context"
	"fmt"
	"log"

	"github.com/yinxin-gov/yinxin/authz/client"
)

// A program beside `yinxin agent run` asks through the agent's socket; the agent
// has the certificate.
func Example_socket() {
	c, err := client.New(client.Config{Socket: "/run/yinxin/decide.sock"})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	d, err := c.Evaluate(context.Background(), client.Request{
		Subject:  client.Entity{Type: client.System, ID: "civil-a"},
		Action:   client.Action{Name: "read"},
		Resource: client.Entity{Type: client.Resource, ID: "births"},
		Context:  map[string]any{"purpose": "relief", "fields": []string{"name"}},
	})
	if err != nil { // no decision: deny
		log.Print(err)
		return
	}
	if !d.Permits(client.Fields, client.Watermark) { // what this program fulfils
		for _, r := range d.Reasons {
			fmt.Println(r.Code, r.Clauses, r.Zh, "→", r.FixZh)
		}
		return
	}
	for _, o := range d.Obligations {
		fmt.Println(o.Kind, o.Value)
	}
}

// A program with the files of an enrolled system asks the house itself.
func Example_certificate() {
	tls, err := client.Files("agent/tls.crt", "agent/tls.key", "anchors/ecdsa-root.crt")
	if err != nil {
		log.Fatal(err)
	}
	c, err := client.New(client.Config{URL: "https://yinxin.example.gov.cn", TLS: tls})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	may := client.Request{Subject: client.Entity{Type: client.System, ID: "civil-a"}, Action: client.Action{Name: "read"}, Resource: client.Entity{Type: client.Resource}}
	for r, err := range c.Resources(context.Background(), may) {
		if err != nil {
			log.Print(err)
			return
		}
		fmt.Println(r.ID)
	}
}
