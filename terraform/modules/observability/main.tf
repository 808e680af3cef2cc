# What people look at and are woken by: metrics, alerts, dashboard, uptime
# check, log retention, budget.

locals {
  # Cloud Run's own figures need no line of ours.
  _services = "resource.type = \"cloud_run_revision\""
  _lines    = "resource.type = \"cloud_run_revision\" AND jsonPayload.function:*"

  channels = [for channel in google_monitoring_notification_channel.email : channel.id]

  _metrics = {
    audit_chain_broken = {
      description = "Audit trails that are not as they were sealed."
      labels      = {}
      match       = "jsonPayload.message = \"audit_chain_broken\""
    }
    breaker_opened = {
      description = "Circuit breakers that opened: a dependency failed five times in a row."
      labels      = { breaker = "EXTRACT(jsonPayload.breaker)" }
      match       = "jsonPayload.message = \"breaker opened\""
    }
    job_function_missing = {
      description = "Jobs whose function is not deployed."
      labels      = {}
      match       = "jsonPayload.message = \"job_function_missing\""
    }
    job_lost = {
      description = "Jobs whose work was lost and started again, or given up."
      labels      = { job_type = "EXTRACT(jsonPayload.job_type)" }
      match       = "jsonPayload.message = \"job_lost\""
    }
    job_unreadable = {
      description = "Jobs whose document cannot be read."
      labels      = {}
      match       = "jsonPayload.message = \"job_unreadable\""
    }
    oauth_client_refused = {
      description = "Providers of accounts that refuse our client: its secret ran out, or was withdrawn."
      labels      = { provider = "EXTRACT(jsonPayload.provider)" }
      match       = "jsonPayload.message = \"an OAuth client is refused\""
    }
    privacy_request_overdue = {
      description = "Requests about personal data whose legal deadline has passed."
      labels      = {}
      match       = "jsonPayload.message = \"privacy_request_overdue\""
    }
    security_events = {
      description = "Refusals and findings that are audited, by code."
      labels      = { code = "EXTRACT(jsonPayload.code)" }
      match       = "jsonPayload.audit = true"
    }
    tenant_erasure_failed = {
      description = "Erasures of deleted tenants that stopped."
      labels      = {}
      match       = "jsonPayload.message = \"tenant_erasure_failed\""
    }
    tenant_residue = {
      description = "Tenants that were erased and of whom something was found."
      labels      = {}
      match       = "jsonPayload.message = \"tenant_residue\""
    }
    tenant_setup_failed = {
      description = "Set-ups of tenants that stopped."
      labels      = {}
      match       = "jsonPayload.message = \"tenant_setup_failed\""
    }
    rank_check_failed = {
      description = "Looks at result pages that no provider answered."
      labels      = { function = "EXTRACT(jsonPayload.function)" }
      match       = "jsonPayload.message = \"rank_check_failed\""
    }
    warehouse_lag = {
      description = "Tables of tenants whose changes were not merged for an hour."
      labels      = { entity = "EXTRACT(jsonPayload.entity)" }
      match       = "jsonPayload.message = \"warehouse_lag\""
    }
    cache_answers = {
      description = "Cached answers by state: HIT, MISS or BYPASS."
      labels = {
        cache    = "EXTRACT(jsonPayload.cache)"
        function = "EXTRACT(jsonPayload.function)"
      }
      match = "jsonPayload.cache:*"
    }
    set_aside = {
      description = "Events that can never be processed, set aside with their reason."
      labels = {
        code     = "EXTRACT(jsonPayload.poison)"
        function = "EXTRACT(jsonPayload.function)"
      }
      match = "jsonPayload.poison:*"
    }
  }

  # Log lines that somebody has to look at, each with what to do.
  _told = {
    audit_chain_broken = {
      severity = "CRITICAL"
      title    = "audit trail altered"
      why      = "Somebody changed or removed entries of a tenant's audit trail behind the functions. The line names the tenant and the first entry that is not as it was sealed: keep the database as it is, compare with the copies in the audit bucket, and look in Cloud Audit Logs for who wrote."
    }
    oauth_client_refused = {
      severity = "ERROR"
      title    = "OAuth client refused"
      why      = "Nobody can link or renew accounts of that provider. Make a new client secret and add it to XYNERGY_OAUTH_CLIENTS."
    }
    privacy_request_overdue = {
      severity = "ERROR"
      title    = "privacy request overdue"
      why      = "A legal deadline has passed. The line names tenant and request: complete it, or extend it with a reason."
    }
    tenant_erasure_failed = {
      severity = "ERROR"
      title    = "erasure of a tenant stopped"
      why      = "What was promised to be gone is still there. The line names the step; the erasure goes on with its next run once the cause is mended."
    }
    tenant_residue = {
      severity = "ERROR"
      title    = "erased tenant left something"
      why      = "The search after an erasure found what the line lists. Erase it, and find out who wrote it after the erasure."
    }
    tenant_setup_failed = {
      severity = "ERROR"
      title    = "tenant not set up"
      why      = "The set-up of a new tenant stopped at the step in the line: mend the cause, then retry the set-up."
    }
    job_function_missing = {
      severity = "ERROR"
      title    = "jobs without a function"
      why      = "A job names a function that is not deployed: deploy it again, or cancel the job."
    }
    job_lost = {
      severity = "WARNING"
      title    = "jobs lost"
      why      = "The work of a job ended without a word and was started again, or given up after the last try. Look for instances of its function that ran out of memory or time."
    }
    job_unreadable = {
      severity = "ERROR"
      title    = "jobs unreadable"
      why      = "The document of a job fits no version of its model: mend or delete it."
    }
    warehouse_lag = {
      severity = "ERROR"
      title    = "warehouse lags behind"
      why      = "Readers still see the changes through the view, for seven days; then they miss them. Look for errors of platform-warehouse-merge-table."
    }
  }

  # Lines of Google's own services about the copies of module backup.
  _backups = {
    export = {
      match = join(" OR ", [
        "(resource.type = \"cloud_scheduler_job\" AND resource.labels.job_id = \"xynergy-firestore-export\" AND severity >= ERROR)",
        "(protoPayload.serviceName = \"firestore.googleapis.com\" AND protoPayload.methodName : \"ExportDocuments\" AND severity >= ERROR)",
      ])
      title = "weekly export of documents failed"
      why   = "Daily backups and point-in-time recovery go on. Run the job xynergy-firestore-export again once its account may write the bucket of backups."
    }
    snapshots = {
      match = "resource.type = \"bigquery_dts_config\" AND severity >= ERROR"
      title = "weekly snapshots of measurements failed"
      why   = "No document holds measurements. Look at the run of xynergy-snapshots in BigQuery's data transfers, and run it again."
    }
  }

  _run  = "metric.type = \"run.googleapis.com"
  _user = "metric.type = \"logging.googleapis.com/user/xynergy"
  _charts = [
    {
      title   = "Requests by function"
      filter  = "${local._services} AND ${local._run}/request_count\""
      aligner = "ALIGN_RATE", reducer = "REDUCE_SUM", by = "resource.labels.service_name"
    },
    {
      title   = "Answers by class"
      filter  = "${local._services} AND ${local._run}/request_count\""
      aligner = "ALIGN_RATE", reducer = "REDUCE_SUM", by = "metric.labels.response_code_class"
    },
    {
      title   = "95th percentile of latency by function (ms)"
      filter  = "${local._services} AND ${local._run}/request_latencies\""
      aligner = "ALIGN_DELTA", reducer = "REDUCE_PERCENTILE_95", by = "resource.labels.service_name"
    },
    {
      title   = "Instances by function"
      filter  = "${local._services} AND ${local._run}/container/instance_count\""
      aligner = "ALIGN_MAX", reducer = "REDUCE_SUM", by = "resource.labels.service_name"
    },
    {
      title   = "Oldest event that waits, by consumer (s)"
      filter  = "resource.type = \"pubsub_subscription\" AND metric.type = \"pubsub.googleapis.com/subscription/oldest_unacked_message_age\""
      aligner = "ALIGN_MAX", reducer = "REDUCE_MAX", by = "resource.labels.subscription_id"
    },
    {
      title   = "Tasks that wait, by queue"
      filter  = "resource.type = \"cloud_tasks_queue\" AND metric.type = \"cloudtasks.googleapis.com/queue/depth\""
      aligner = "ALIGN_MAX", reducer = "REDUCE_SUM", by = "resource.labels.queue_id"
    },
    {
      title   = "Cached answers by state"
      filter  = "${local._services} AND ${local._user}/cache_answers\""
      aligner = "ALIGN_RATE", reducer = "REDUCE_SUM", by = "metric.labels.cache"
    },
    {
      title   = "Breakers that opened"
      filter  = "${local._services} AND ${local._user}/breaker_opened\""
      aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", by = "metric.labels.breaker"
    },
  ]
}

resource "google_monitoring_notification_channel" "email" {
  for_each = var.emails

  project      = var.project_id
  display_name = each.key
  type         = "email"
  labels       = { email_address = each.key }
}

resource "google_logging_metric" "this" {
  for_each = local._metrics

  project     = var.project_id
  name        = "xynergy/${each.key}"
  description = each.value.description
  filter      = "${local._services} AND ${each.value.match}"

  label_extractors = each.value.labels

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"

    dynamic "labels" {
      for_each = each.value.labels
      content {
        key        = labels.key
        value_type = "STRING"
      }
    }
  }
}

# Document 000: logs 30 days, for debugging.
resource "google_logging_project_bucket_config" "default" {
  project        = var.project_id
  location       = "global"
  bucket_id      = "_Default"
  retention_days = var.log_retention_days
}

# Who did what outlives the debugging: the one line of every request that a
# known caller made.
resource "google_logging_project_bucket_config" "requests" {
  project          = var.project_id
  location         = var.region
  bucket_id        = "xynergy-requests"
  description      = "One line per request of a known caller."
  retention_days   = 400
  enable_analytics = true
}

resource "google_logging_project_sink" "requests" {
  project                = var.project_id
  name                   = "xynergy-requests"
  description            = "Keeps the request lines of known callers."
  destination            = "logging.googleapis.com/${google_logging_project_bucket_config.requests.id}"
  filter                 = "${local._lines} AND jsonPayload.principal:* AND httpRequest.requestMethod != \"GET\""
  unique_writer_identity = true
}

# Findings and audited refusals outlive the debugging, too: what could not be
# stored as a document stands nowhere else.
resource "google_logging_project_bucket_config" "audit" {
  project          = var.project_id
  location         = var.region
  bucket_id        = "xynergy-audit"
  description      = "Security events: audited refusals, broken audit trails."
  retention_days   = 400
  enable_analytics = true
}

resource "google_logging_project_sink" "audit" {
  project                = var.project_id
  name                   = "xynergy-audit"
  description            = "Keeps security events."
  destination            = "logging.googleapis.com/${google_logging_project_bucket_config.audit.id}"
  filter                 = "${local._services} AND jsonPayload.audit = true"
  unique_writer_identity = true
}

# Somebody tries doors: one refusal is a mistake, fifty in ten minutes are none.
resource "google_monitoring_alert_policy" "security_events" {
  project               = var.project_id
  display_name          = "${var.environment}: many audited refusals"
  combiner              = "OR"
  severity              = "WARNING"
  notification_channels = local.channels

  conditions {
    display_name = "More than ${var.security_events} security events of one code in ten minutes"

    condition_threshold {
      filter = join(" AND ", [
        local._services,
        "metric.type = \"logging.googleapis.com/user/${google_logging_metric.this["security_events"].name}\"",
      ])
      comparison      = "COMPARISON_GT"
      threshold_value = var.security_events
      duration        = "0s"

      aggregations {
        alignment_period     = "600s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
        group_by_fields      = ["metric.labels.code"]
      }
    }
  }

  documentation {
    content   = "Look at the lines in the log bucket xynergy-audit: jsonPayload.code, tenant_id, principal. Revoke the key or end the sessions of whoever it is."
    mime_type = "text/markdown"
  }
}

# Copies that are not made are missed when they are needed, unless somebody is
# told. The export is accepted by the schedule's call and fails later by itself.
resource "google_monitoring_alert_policy" "backup" {
  for_each = local._backups

  project               = var.project_id
  display_name          = "${var.environment}: ${each.value.title}"
  combiner              = "OR"
  severity              = "ERROR"
  notification_channels = local.channels

  conditions {
    display_name = each.value.title

    condition_matched_log {
      filter = each.value.match
    }
  }

  alert_strategy {
    auto_close = "604800s"

    notification_rate_limit {
      period = "3600s"
    }
  }

  documentation {
    content   = each.value.why
    mime_type = "text/markdown"
  }
}

resource "google_monitoring_alert_policy" "errors" {
  project               = var.project_id
  display_name          = "${var.environment}: error rate"
  combiner              = "OR"
  severity              = "ERROR"
  notification_channels = local.channels

  conditions {
    # Document 004: less than 1 % of all requests may fail.
    display_name = "More than 1 % of a function's requests failed in ten minutes"

    condition_threshold {
      filter = join(" AND ", [
        local._services,
        "metric.type = \"run.googleapis.com/request_count\"",
        "metric.labels.response_code_class = \"5xx\"",
      ])
      denominator_filter = join(" AND ", [
        local._services,
        "metric.type = \"run.googleapis.com/request_count\"",
      ])
      comparison      = "COMPARISON_GT"
      threshold_value = 0.01
      duration        = "300s"

      aggregations {
        alignment_period     = "600s"
        per_series_aligner   = "ALIGN_SUM"
        cross_series_reducer = "REDUCE_SUM"
        group_by_fields      = ["resource.labels.service_name"]
      }

      denominator_aggregations {
        alignment_period     = "600s"
        per_series_aligner   = "ALIGN_SUM"
        cross_series_reducer = "REDUCE_SUM"
        group_by_fields      = ["resource.labels.service_name"]
      }
    }
  }

  documentation {
    content   = "Logs: jsonPayload.function=\"<service>\" severity>=ERROR. Roll back as README.md says if a deployment is the cause."
    mime_type = "text/markdown"
  }
}

resource "google_monitoring_alert_policy" "latency" {
  project               = var.project_id
  display_name          = "${var.environment}: slow answers"
  combiner              = "OR"
  severity              = "WARNING"
  notification_channels = local.channels

  conditions {
    # Document 004: 95 % of answers within 500 ms. Cold starts are no answers'
    # fault, so it has to last.
    display_name = "The 95th percentile of an HTTP function is above ${var.latency_ms} ms"

    condition_threshold {
      filter = join(" AND ", [
        local._services,
        "metric.type = \"run.googleapis.com/request_latencies\"",
        "resource.labels.service_name = one_of(${join(", ", [for name in var.http_functions : jsonencode(name)])})",
      ])
      comparison      = "COMPARISON_GT"
      threshold_value = var.latency_ms
      duration        = "900s"

      aggregations {
        alignment_period     = "300s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_PERCENTILE_95"
        group_by_fields      = ["resource.labels.service_name"]
      }
    }
  }
}

resource "google_monitoring_alert_policy" "lag" {
  project               = var.project_id
  display_name          = "${var.environment}: consumers lag behind"
  combiner              = "OR"
  severity              = "ERROR"
  notification_channels = local.channels

  conditions {
    display_name = "The oldest event of a consumer waits longer than ${var.lag_seconds} s"

    condition_threshold {
      filter = join(" AND ", [
        "resource.type = \"pubsub_subscription\"",
        "metric.type = \"pubsub.googleapis.com/subscription/oldest_unacked_message_age\"",
        "resource.labels.subscription_id = one_of(${join(", ", [for name in var.subscriptions : jsonencode(name)])})",
      ])
      comparison      = "COMPARISON_GT"
      threshold_value = var.lag_seconds
      duration        = "300s"

      aggregations {
        alignment_period   = "60s"
        per_series_aligner = "ALIGN_MAX"
      }
    }
  }

  documentation {
    content   = "Readers see old data. Look for errors of the consumer; the events are kept for seven days."
    mime_type = "text/markdown"
  }
}

resource "google_monitoring_alert_policy" "breakers" {
  project               = var.project_id
  display_name          = "${var.environment}: breaker open"
  combiner              = "OR"
  severity              = "ERROR"
  notification_channels = local.channels

  conditions {
    display_name = "A dependency failed five times in a row"

    condition_threshold {
      filter = join(" AND ", [
        local._services,
        "metric.type = \"logging.googleapis.com/user/${google_logging_metric.this["breaker_opened"].name}\"",
      ])
      comparison      = "COMPARISON_GT"
      threshold_value = 0
      duration        = "0s"

      aggregations {
        alignment_period     = "300s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
        group_by_fields      = ["metric.labels.breaker"]
      }
    }
  }
}

resource "google_monitoring_alert_policy" "set_aside" {
  project               = var.project_id
  display_name          = "${var.environment}: events set aside"
  combiner              = "OR"
  severity              = "WARNING"
  notification_channels = local.channels

  conditions {
    display_name = "A function received an event that it can never process"

    condition_threshold {
      filter = join(" AND ", [
        local._services,
        "metric.type = \"logging.googleapis.com/user/${google_logging_metric.this["set_aside"].name}\"",
      ])
      comparison      = "COMPARISON_GT"
      threshold_value = 0
      duration        = "0s"

      aggregations {
        alignment_period     = "300s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
        group_by_fields      = ["metric.labels.function"]
      }
    }
  }
}

resource "google_monitoring_alert_policy" "told" {
  for_each = local._told

  project               = var.project_id
  display_name          = "${var.environment}: ${each.value.title}"
  combiner              = "OR"
  severity              = each.value.severity
  notification_channels = local.channels

  conditions {
    display_name = local._metrics[each.key].description

    condition_threshold {
      filter = join(" AND ", [
        local._services,
        "metric.type = \"logging.googleapis.com/user/${google_logging_metric.this[each.key].name}\"",
      ])
      comparison      = "COMPARISON_GT"
      threshold_value = 0
      duration        = "0s"

      aggregations {
        alignment_period     = "300s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
      }
    }
  }

  documentation {
    content   = each.value.why
    mime_type = "text/markdown"
  }
}

resource "google_monitoring_uptime_check_config" "health" {
  project      = var.project_id
  display_name = "${var.environment}: front door"
  period       = "60s"
  timeout      = "10s"

  http_check {
    path         = var.health.path
    port         = 443
    use_ssl      = true
    validate_ssl = true
  }

  monitored_resource {
    type = "uptime_url"
    labels = {
      host       = var.health.host
      project_id = var.project_id
    }
  }
}

resource "google_monitoring_alert_policy" "uptime" {
  project               = var.project_id
  display_name          = "${var.environment}: front door down"
  combiner              = "OR"
  severity              = "CRITICAL"
  notification_channels = local.channels

  conditions {
    display_name = "The front door does not answer from more than one region"

    condition_threshold {
      filter = join(" AND ", [
        "resource.type = \"uptime_url\"",
        "metric.type = \"monitoring.googleapis.com/uptime_check/check_passed\"",
        "metric.labels.check_id = \"${google_monitoring_uptime_check_config.health.uptime_check_id}\"",
      ])
      comparison      = "COMPARISON_GT"
      threshold_value = 1
      duration        = "120s"

      aggregations {
        alignment_period     = "120s"
        per_series_aligner   = "ALIGN_NEXT_OLDER"
        cross_series_reducer = "REDUCE_COUNT_FALSE"
      }
    }
  }
}

resource "google_monitoring_dashboard" "this" {
  project = var.project_id
  dashboard_json = jsonencode({
    displayName = "Xynergy ${var.environment}"
    mosaicLayout = {
      columns = 12
      tiles = [
        for position, chart in local._charts : {
          xPos   = position % 2 * 6
          yPos   = floor(position / 2) * 4
          width  = 6
          height = 4
          widget = {
            title = chart.title
            xyChart = {
              dataSets = [{
                plotType = "LINE"
                timeSeriesQuery = {
                  timeSeriesFilter = {
                    filter = chart.filter
                    aggregation = {
                      alignmentPeriod    = "60s"
                      perSeriesAligner   = chart.aligner
                      crossSeriesReducer = chart.reducer
                      groupByFields      = [chart.by]
                    }
                  }
                }
              }]
            }
          }
        }
      ]
    }
  })
}

resource "google_billing_budget" "this" {
  count = var.budget == null ? 0 : 1

  billing_account = var.budget.billing_account
  display_name    = "Xynergy ${var.environment}"

  budget_filter {
    projects = ["projects/${var.project_number}"]
  }

  amount {
    specified_amount {
      units = tostring(var.budget.amount)
    }
  }

  dynamic "threshold_rules" {
    for_each = { half = 0.5, most = 0.9, all = 1.0 }
    content {
      threshold_percent = threshold_rules.value
    }
  }

  # Early enough to do something about it.
  threshold_rules {
    threshold_percent = 1.0
    spend_basis       = "FORECASTED_SPEND"
  }

  all_updates_rule {
    monitoring_notification_channels = slice(local.channels, 0, min(5, length(local.channels)))
  }
}
