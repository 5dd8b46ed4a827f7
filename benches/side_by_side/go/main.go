// A façade in Go with the defaults of its libraries and without protection: the two RPCs that the benchmark calls.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	cognito "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "mfagate.example/side_by_side/mfagate/v1"
)

type facade struct {
	pb.UnimplementedMfaPreferenceServiceServer
	cognito *cognito.Client
}

func (f *facade) AdminSetUserMfaPreference(
	ctx context.Context, request *pb.AdminSetUserMfaPreferenceRequest,
) (*pb.AdminSetUserMfaPreferenceResponse, error) {
	input := &cognito.AdminSetUserMFAPreferenceInput{UserPoolId: &request.UserPoolId, Username: &request.Username}
	if sms := request.SmsMfaSettings; sms != nil {
		input.SMSMfaSettings = &types.SMSMfaSettingsType{Enabled: sms.GetEnabled(), PreferredMfa: sms.GetPreferredMfa()}
	}
	if _, err := f.cognito.AdminSetUserMFAPreference(ctx, input); err != nil {
		return nil, status.Error(codes.Unavailable, err.Error())
	}
	return &pb.AdminSetUserMfaPreferenceResponse{}, nil
}

func (f *facade) AdminGetUser(
	ctx context.Context, request *pb.AdminGetUserRequest,
) (*pb.AdminGetUserResponse, error) {
	input := &cognito.AdminGetUserInput{UserPoolId: &request.UserPoolId, Username: &request.Username}
	user, err := f.cognito.AdminGetUser(ctx, input)
	if err != nil {
		return nil, status.Error(codes.Unavailable, err.Error())
	}
	response := &pb.AdminGetUserResponse{
		Username:    aws.ToString(user.Username),
		Enabled:     user.Enabled,
		UserStatus:  userStatus(user.UserStatus),
		PhoneNumber: contact(user.UserAttributes, "phone_number", "phone_number_verified"),
		Email:       contact(user.UserAttributes, "email", "email_verified"),
	}
	if user.PreferredMfaSetting != nil {
		response.PreferredMfaSetting = mfaFactor(*user.PreferredMfaSetting).Enum()
	}
	for _, name := range user.UserMFASettingList {
		response.UserMfaSettingList = append(response.UserMfaSettingList, mfaFactor(name))
	}
	return response, nil
}

func contact(attributes []types.AttributeType, name, verified string) *pb.ContactAttribute {
	contact := &pb.ContactAttribute{}
	for _, attribute := range attributes {
		switch aws.ToString(attribute.Name) {
		case name:
			contact.Present = aws.ToString(attribute.Value) != ""
		case verified:
			contact.Verified = aws.ToString(attribute.Value) == "true"
		}
	}
	return contact
}

func mfaFactor(name string) pb.MfaFactor {
	switch name {
	case "SMS_MFA":
		return pb.MfaFactor_MFA_FACTOR_SMS
	case "SOFTWARE_TOKEN_MFA":
		return pb.MfaFactor_MFA_FACTOR_SOFTWARE_TOKEN
	case "EMAIL_OTP":
		return pb.MfaFactor_MFA_FACTOR_EMAIL
	case "WEB_AUTHN":
		return pb.MfaFactor_MFA_FACTOR_WEB_AUTHN
	default:
		return pb.MfaFactor_MFA_FACTOR_UNRECOGNIZED
	}
}

func userStatus(status types.UserStatusType) pb.UserStatus {
	switch status {
	case types.UserStatusTypeConfirmed:
		return pb.UserStatus_USER_STATUS_CONFIRMED
	case types.UserStatusTypeUnconfirmed:
		return pb.UserStatus_USER_STATUS_UNCONFIRMED
	default:
		return pb.UserStatus_USER_STATUS_UNRECOGNIZED
	}
}

func serve() error {
	settings, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := grpc.NewServer()
	pb.RegisterMfaPreferenceServiceServer(server, &facade{cognito: cognito.NewFromConfig(settings)})
	fmt.Printf("{\"event\":\"listening\",\"address\":\"%s\"}\n", listener.Addr())
	return server.Serve(listener)
}

func main() {
	// The benchmark has ended, however it did, when standard input does.
	go func() {
		if _, err := io.Copy(io.Discard, os.Stdin); err != nil && !errors.Is(err, io.EOF) {
			log.Print(err)
		}
		os.Exit(0)
	}()
	log.Fatal(serve())
}
