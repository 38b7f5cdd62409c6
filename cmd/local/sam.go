package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"procore-connect/internal/testing/sam"
)

// prepareSAM prepares build/sam for the system that is running.
func prepareSAM(ctx context.Context, args []string) error {
	o, err := options(args)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	if o.Sandbox != nil {
		return errors.New("the functions run in containers with the fake Procore alone")
	}
	dir := filepath.Join("build", "sam")
	err = sam.Prepare(ctx, sam.Options{
		Dir: dir, Events: "events", Env: o.Env, Image: os.Getenv("SAM_IMAGE"), Architecture: architecture(),
		AppURL: "http://" + o.AppAddr, ProcoreURL: "http://" + o.ProcoreAddr, AWSURL: "http://" + o.AWSAddr,
	})
	if err != nil {
		return unlessStopped(ctx, fmt.Errorf(`%w; is it running, by make run ARGS="-docker"?`, err))
	}
	fmt.Fprintf(os.Stderr, "%s is ready: cd %s\n", dir, dir)
	return nil
}

// architecture returns Lambda's name of this machine's architecture.
func architecture() string {
	if runtime.GOARCH == "arm64" {
		return "arm64"
	}
	return "x86_64"
}
