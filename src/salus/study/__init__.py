"""Prepare, split, plan, fit, calibrate, measure, package. Knows no job and no database; tells what happens through a Context."""
