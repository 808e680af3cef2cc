# A consumer's own subscription, what becomes of messages it cannot process, and
# the alert that says so.

# Wrapped: unwrapped delivery turns attributes into headers, and web servers
# drop headers with underscores in their names (event_type, replay_for).
resource "google_pubsub_subscription" "this" {
  project                    = var.project_id
  name                       = var.name
  topic                      = var.topic
  filter                     = var.filter
  ack_deadline_seconds       = max(10, min(600, var.timeout))
  enable_message_ordering    = var.ordered
  message_retention_duration = "604800s"

  push_config {
    push_endpoint = var.url

    oidc_token {
      audience              = var.url
      service_account_email = var.invoker.email
    }
  }

  # An idle consumer is no reason to lose the events that come after.
  expiration_policy {
    ttl = ""
  }

  retry_policy {
    minimum_backoff = "${var.retry.minimum}s"
    maximum_backoff = "${var.retry.maximum}s"
  }

  dead_letter_policy {
    dead_letter_topic     = google_pubsub_topic.dead_letter.id
    max_delivery_attempts = var.retry.attempts
  }

  depends_on = [
    google_pubsub_topic_iam_member.dead_letter_publisher,
    google_service_account_iam_member.token_creator,
  ]
}

# Pub/Sub may make tokens of this account, so as to deliver as it.
resource "google_service_account_iam_member" "token_creator" {
  service_account_id = var.invoker.id
  role               = "roles/iam.serviceAccountOpenIdTokenCreator"
  member             = var.pubsub_agent
}

resource "google_pubsub_topic" "dead_letter" {

  project                    = var.project_id
  name                       = "${var.name}-dead-letter"
  message_retention_duration = "604800s"

  message_storage_policy {
    allowed_persistence_regions = [var.region]
  }
}

# Keeps what was set aside even if the function that stores it fails: without a
# subscription, or with an expired one, Pub/Sub would drop it silently.
resource "google_pubsub_subscription" "dead_letter" {
  project                    = var.project_id
  name                       = "${var.name}-dead-letter"
  topic                      = google_pubsub_topic.dead_letter.id
  ack_deadline_seconds       = 60
  message_retention_duration = "2678400s"

  expiration_policy {
    ttl = ""
  }
}

# Puts it where operators list and replay it. The store reads the failed
# function's name from the part after the dot.
resource "google_pubsub_subscription" "dead_letter_store" {
  for_each = var.dead_letter_consumers

  project                    = var.project_id
  name                       = "${each.key}.${var.name}"
  topic                      = google_pubsub_topic.dead_letter.id
  filter                     = each.value.filter
  ack_deadline_seconds       = max(10, min(600, each.value.timeout))
  enable_message_ordering    = each.value.ordered
  message_retention_duration = "604800s"

  push_config {
    push_endpoint = each.value.url

    oidc_token {
      audience              = each.value.url
      service_account_email = each.value.email
    }
  }

  expiration_policy {
    ttl = ""
  }

  retry_policy {
    minimum_backoff = "${each.value.retry.minimum}s"
    maximum_backoff = "${each.value.retry.maximum}s"
  }
}

resource "google_pubsub_topic_iam_member" "dead_letter_publisher" {
  project = var.project_id
  topic   = google_pubsub_topic.dead_letter.id
  role    = "roles/pubsub.publisher"
  member  = var.pubsub_agent
}

# Moving a message to the dead letters includes acknowledging it here.
resource "google_pubsub_subscription_iam_member" "dead_letter_subscriber" {
  project      = var.project_id
  subscription = google_pubsub_subscription.this.id
  role         = "roles/pubsub.subscriber"
  member       = var.pubsub_agent
}

# The count of messages moved, and not of those that wait: the copies above stay
# for a month, and an alert that is always on is read by nobody.
resource "google_monitoring_alert_policy" "dead_letters" {
  project               = var.project_id
  display_name          = "${var.environment}: dead letters of ${var.name}"
  combiner              = "OR"
  severity              = "ERROR"
  notification_channels = var.notification_channels

  conditions {
    display_name = "A message of ${var.name} was set aside"

    condition_threshold {
      filter = join(" AND ", [
        "resource.type = \"pubsub_subscription\"",
        "resource.labels.subscription_id = \"${google_pubsub_subscription.this.name}\"",
        "metric.type = \"pubsub.googleapis.com/subscription/dead_letter_message_count\"",
      ])
      comparison      = "COMPARISON_GT"
      threshold_value = 0
      duration        = "0s"

      aggregations {
        alignment_period   = "300s"
        per_series_aligner = "ALIGN_DELTA"
      }
    }
  }

  documentation {
    content = join(" ", [
      "${var.name} failed ${var.retry.attempts} times to process a message.",
      "List it with GET /v1/platform/dead-letters?function=${var.name}, mend the cause,",
      "then POST /v1/platform/dead-letters/{id}/replay.",
    ])
    mime_type = "text/markdown"
  }
}
