"""Metrics with intervals, calibration, report. numpy only; opens no file and knows no learner."""
