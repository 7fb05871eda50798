package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"sync"

	"github.com/klauspost/compress/zstd"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// fileConfig says where requests go.
type fileConfig struct {
	Path string `mapstructure:"path"`
	// Compression is "none" or "zstd", one frame a request.
	Compression string `mapstructure:"compression"`
	// MaxBytes is the length at which the file is cut back to nothing.
	MaxBytes int64 `mapstructure:"max_bytes"`
}

func (c *fileConfig) Validate() error {
	if c.Path == "" || c.MaxBytes <= 0 || (c.Compression != "none" && c.Compression != "zstd") {
		return fmt.Errorf("path, max_bytes and compression (none or zstd) are needed, got %+v", *c)
	}
	return nil
}

// fileExporter writes each request as protobuf behind its length, without fsync: what the file exporter of the
// contrib distribution does with `format: proto`.
type fileExporter struct {
	mu      sync.Mutex
	file    *os.File
	written int64
	max     int64
	encoder *zstd.Encoder
}

func newFileExporter(config component.Config) (*fileExporter, error) {
	given := config.(*fileConfig)
	file, err := os.OpenFile(given.Path, os.O_CREATE|os.O_WRONLY|os.O_APPEND|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	made := &fileExporter{file: file, max: given.MaxBytes}
	if given.Compression == "zstd" {
		if made.encoder, err = zstd.NewWriter(nil); err != nil {
			return nil, err
		}
	}
	return made, nil
}

func (e *fileExporter) write(message []byte) error {
	if e.encoder != nil {
		message = e.encoder.EncodeAll(message, make([]byte, 0, len(message)/4))
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	var length [4]byte
	binary.BigEndian.PutUint32(length[:], uint32(len(message)))
	for _, part := range [][]byte{length[:], message} {
		if _, err := e.file.Write(part); err != nil {
			return err
		}
	}
	if e.written += int64(len(message)) + 4; e.written >= e.max {
		e.written = 0
		return e.file.Truncate(0)
	}
	return nil
}

func (e *fileExporter) traces(_ context.Context, data ptrace.Traces) error {
	message, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(data)
	if err != nil {
		return err
	}
	return e.write(message)
}

func (e *fileExporter) metrics(_ context.Context, data pmetric.Metrics) error {
	message, err := (&pmetric.ProtoMarshaler{}).MarshalMetrics(data)
	if err != nil {
		return err
	}
	return e.write(message)
}

func (e *fileExporter) logs(_ context.Context, data plog.Logs) error {
	message, err := (&plog.ProtoMarshaler{}).MarshalLogs(data)
	if err != nil {
		return err
	}
	return e.write(message)
}

func newFileFactory() exporter.Factory {
	defaults := func() component.Config { return &fileConfig{Compression: "none", MaxBytes: 64 << 20} }
	level := component.StabilityLevelDevelopment
	return exporter.NewFactory(component.MustNewType("file"), defaults,
		exporter.WithTraces(func(ctx context.Context, set exporter.Settings, c component.Config) (exporter.Traces, error) {
			made, err := newFileExporter(c)
			if err != nil {
				return nil, err
			}
			return exporterhelper.NewTraces(ctx, set, c, made.traces)
		}, level),
		exporter.WithMetrics(func(ctx context.Context, set exporter.Settings, c component.Config) (exporter.Metrics, error) {
			made, err := newFileExporter(c)
			if err != nil {
				return nil, err
			}
			return exporterhelper.NewMetrics(ctx, set, c, made.metrics)
		}, level),
		exporter.WithLogs(func(ctx context.Context, set exporter.Settings, c component.Config) (exporter.Logs, error) {
			made, err := newFileExporter(c)
			if err != nil {
				return nil, err
			}
			return exporterhelper.NewLogs(ctx, set, c, made.logs)
		}, level))
}
