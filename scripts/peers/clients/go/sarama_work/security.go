package main

import (
	"crypto/sha256"
	"crypto/sha512"

	"github.com/IBM/sarama"
	"github.com/xdg-go/scram"

	"pylog.peers/clients/security"
)

// exchange is the SCRAM client that sarama's users bring along.
type exchange struct {
	hash scram.HashGeneratorFcn
	*scram.ClientConversation
}

func (e *exchange) Begin(user, password, authorized string) error {
	client, err := e.hash.NewClient(user, password, authorized)
	if err != nil {
		return err
	}
	e.ClientConversation = client.NewConversation()
	return nil
}

// secure changes what each client is made with.
func secure(config *sarama.Config, settings security.Settings) {
	if tls := settings.TLS(); tls != nil {
		config.Net.TLS.Enable = true
		config.Net.TLS.Config = tls
	}
	if settings.Mechanism == "" {
		return
	}
	config.Net.SASL.Enable = true
	config.Net.SASL.Mechanism = sarama.SASLMechanism(settings.Mechanism)
	config.Net.SASL.User, config.Net.SASL.Password = settings.User, settings.Password
	hash := scram.HashGeneratorFcn(sha512.New)
	if settings.Mechanism == sarama.SASLTypeSCRAMSHA256 {
		hash = sha256.New
	}
	config.Net.SASL.SCRAMClientGeneratorFunc = func() sarama.SCRAMClient {
		return &exchange{hash: hash}
	}
}

// administer makes, finds and takes away an ACL and a user; it returns whether each was found once.
func administer(admin sarama.ClusterAdmin, name string) map[string]any {
	principal, everywhere := "User:"+name, "*"
	place := sarama.Resource{
		ResourceType: sarama.AclResourceTopic, ResourceName: name,
		ResourcePatternType: sarama.AclPatternLiteral,
	}
	check(admin.CreateACL(place, sarama.Acl{
		Principal: principal, Host: everywhere,
		Operation: sarama.AclOperationRead, PermissionType: sarama.AclPermissionAllow,
	}))
	wanted := sarama.AclFilter{
		ResourceType: sarama.AclResourceTopic, ResourceName: &name,
		ResourcePatternTypeFilter: sarama.AclPatternLiteral, Principal: &principal, Host: &everywhere,
		Operation: sarama.AclOperationRead, PermissionType: sarama.AclPermissionAllow,
	}
	found := must(admin.ListAcls(wanted))
	removed := must(admin.DeleteACL(wanted, false))
	left := must(admin.ListAcls(wanted))
	isFound := len(found) == 1 && len(found[0].Acls) == 1 &&
		found[0].Acls[0].Principal == principal && len(removed) == 1 && len(left) == 0

	upsert := sarama.AlterUserScramCredentialsUpsert{
		Name: name, Mechanism: sarama.SCRAM_MECHANISM_SHA_512, Iterations: 8192,
		Salt: []byte("sixteen bytes so"), Password: []byte("secret"),
	}
	results := must(admin.UpsertUserScramCredentials(
		[]sarama.AlterUserScramCredentialsUpsert{upsert}))
	known := must(admin.DescribeUserScramCredentials([]string{name}))[0]
	removedUsers := must(admin.DeleteUserScramCredentials(
		[]sarama.AlterUserScramCredentialsDelete{{Name: name, Mechanism: upsert.Mechanism}}))
	gone := must(admin.DescribeUserScramCredentials([]string{name}))[0]
	isKnown := results[0].ErrorCode == sarama.ErrNoError &&
		removedUsers[0].ErrorCode == sarama.ErrNoError && len(known.CredentialInfos) == 1 &&
		known.CredentialInfos[0].Mechanism == upsert.Mechanism &&
		known.CredentialInfos[0].Iterations == upsert.Iterations &&
		gone.ErrorCode != sarama.ErrNoError
	return map[string]any{"acls": isFound, "users": isKnown}
}
