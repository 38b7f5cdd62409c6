package awstest

import (
	"encoding/xml"
	"net/http"
)

type identified struct {
	XMLName xml.Name                              `xml:"https://sts.amazonaws.com/doc/2011-06-15/ GetCallerIdentityResponse"`
	Result  struct{ Arn, UserId, Account string } `xml:"GetCallerIdentityResult"`
}

// identity answers GetCallerIdentity: the caller is the user whose name is the access key id.
//
// https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
func identity(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxRequest)
	if err := r.ParseForm(); err != nil || r.PostForm.Get("Action") != "GetCallerIdentity" {
		writeFormError(w, unknownOperation(r.PostForm.Get("Action"), "GetCallerIdentity"))
		return
	}
	out := identified{}
	out.Result.Arn, out.Result.UserId, out.Result.Account = "arn:aws:iam::"+account+":user/"+caller(r), caller(r), account
	w.Header().Set("Content-Type", "text/xml")
	_ = xml.NewEncoder(w).Encode(out) // the caller may have left
}
