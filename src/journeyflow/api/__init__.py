"""HTTP: events in the Segment protocol, everything else for operators and programs, and pages for contacts."""
