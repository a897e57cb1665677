"""The student: what distill trains, and score and evaluate load; loading it imports no torch."""

from pipelines.student.bundle import Card, Student

__all__ = ["Card", "Student"]
