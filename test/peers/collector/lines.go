package main

import (
	"context"
	"os"
	"path/filepath"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// The directory that <signal>.jsonl are appended to.
type linesConfig struct {
	Dir string `mapstructure:"dir"`
}

// One file of one signal. A request is answered after its line is written, so what was acknowledged is there.
type lines struct {
	component.StartFunc
	component.ShutdownFunc
	mutex sync.Mutex
	path  string
}

func (l *lines) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

func (l *lines) append(line []byte, err error) error {
	if err != nil {
		return err
	}
	l.mutex.Lock()
	defer l.mutex.Unlock()
	file, err := os.OpenFile(l.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = file.Write(append(line, '\n'))
	if closed := file.Close(); err == nil {
		err = closed
	}
	return err
}

func (l *lines) ConsumeTraces(_ context.Context, traces ptrace.Traces) error {
	return l.append((&ptrace.JSONMarshaler{}).MarshalTraces(traces))
}

func (l *lines) ConsumeMetrics(_ context.Context, metrics pmetric.Metrics) error {
	return l.append((&pmetric.JSONMarshaler{}).MarshalMetrics(metrics))
}

func (l *lines) ConsumeLogs(_ context.Context, logs plog.Logs) error {
	return l.append((&plog.JSONMarshaler{}).MarshalLogs(logs))
}

func linesOf(config component.Config, signal string) *lines {
	return &lines{path: filepath.Join(config.(*linesConfig).Dir, signal+".jsonl")}
}

func linesFactory() exporter.Factory {
	beta := component.StabilityLevelBeta
	return exporter.NewFactory(
		component.MustNewType("lines"),
		func() component.Config { return &linesConfig{} },
		exporter.WithTraces(func(_ context.Context, _ exporter.Settings, config component.Config) (exporter.Traces, error) {
			return linesOf(config, "traces"), nil
		}, beta),
		exporter.WithMetrics(func(_ context.Context, _ exporter.Settings, config component.Config) (exporter.Metrics, error) {
			return linesOf(config, "metrics"), nil
		}, beta),
		exporter.WithLogs(func(_ context.Context, _ exporter.Settings, config component.Config) (exporter.Logs, error) {
			return linesOf(config, "logs"), nil
		}, beta),
	)
}
