# A queue of Cloud Tasks, for one function.

resource "google_cloud_tasks_queue" "this" {
  project  = var.project_id
  location = var.region
  name     = var.name

  rate_limits {
    max_concurrent_dispatches = var.concurrent_dispatches
    max_dispatches_per_second = var.dispatches_per_second
  }

  retry_config {
    max_attempts = var.retry.attempts
    min_backoff  = "${var.retry.minimum}s"
    max_backoff  = "${var.retry.maximum}s"
  }

  # A task that used up its attempts vanishes: its log line is what remains.
  stackdriver_logging_config {
    sampling_ratio = 1
  }
}
