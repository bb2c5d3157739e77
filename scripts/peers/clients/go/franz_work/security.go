package main

import (
	"context"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"pylog.peers/clients/security"
)

// secured returns what each client is made with.
func secured(settings security.Settings) (options []kgo.Opt) {
	if config := settings.TLS(); config != nil {
		options = append(options, kgo.DialTLSConfig(config))
	}
	user := scram.Auth{User: settings.User, Pass: settings.Password}
	switch settings.Mechanism {
	case "PLAIN":
		auth := plain.Auth{User: settings.User, Pass: settings.Password}
		options = append(options, kgo.SASL(auth.AsMechanism()))
	case "SCRAM-SHA-256":
		options = append(options, kgo.SASL(user.AsSha256Mechanism()))
	case "SCRAM-SHA-512":
		options = append(options, kgo.SASL(user.AsSha512Mechanism()))
	}
	return options
}

// administer makes, finds and takes away an ACL and a user; it returns whether each was found once.
func administer(ctx context.Context, admin *kadm.Client, name string) map[string]any {
	principal := "User:" + name
	acl := kadm.NewACLs().Topics(name).Operations(kadm.OpRead).
		ResourcePatternType(kadm.ACLPatternLiteral).Allow(principal).AllowHosts("*")
	for _, result := range must(admin.CreateACLs(ctx, acl)) {
		check(result.Err)
	}
	found := must(admin.DescribeACLs(ctx, acl))
	removed := must(admin.DeleteACLs(ctx, acl))
	left := must(admin.DescribeACLs(ctx, acl))
	isFound := len(found) == 1 && len(found[0].Described) == 1 &&
		found[0].Described[0].Principal == principal && len(removed[0].Deleted) == 1 &&
		len(left[0].Described) == 0

	upsert := kadm.UpsertSCRAM{
		User: name, Mechanism: kadm.ScramSha512, Iterations: 8192, Password: "secret",
	}
	check(must(admin.AlterUserSCRAMs(ctx, nil, []kadm.UpsertSCRAM{upsert})).Error())
	known := must(admin.DescribeUserSCRAMs(ctx, name))[name]
	remove := kadm.DeleteSCRAM{User: name, Mechanism: kadm.ScramSha512}
	check(must(admin.AlterUserSCRAMs(ctx, []kadm.DeleteSCRAM{remove}, nil)).Error())
	isKnown := len(known.CredInfos) == 1 && known.CredInfos[0].Mechanism == kadm.ScramSha512 &&
		known.CredInfos[0].Iterations == 8192 &&
		must(admin.DescribeUserSCRAMs(ctx, name))[name].Err != nil
	return map[string]any{"acls": isFound, "users": isKnown}
}
