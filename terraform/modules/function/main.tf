# One function: its source, its permissions, itself, and who may call it.

locals {
  # One CPU is the least that serves more than one request at once; from 1 GiB
  # on two, as in document 004's tiers; then the least that carries the memory.
  _cpu = (
    var.function.memory > 16384 ? "8" :
    var.function.memory > 8192 ? "4" :
    var.function.memory >= 1024 ? "2" : "1"
  )
  url = "https://${var.function.name}-${var.project_number}.${var.region}.run.app"
}

# The name carries the hash of the content: a function is deployed again if and
# only if its zip changed.
resource "google_storage_bucket_object" "source" {
  bucket       = var.source_bucket
  name         = "bundles/${var.bundle.file}"
  source       = "${var.bundle_directory}/${var.bundle.file}"
  content_type = "application/zip"

  lifecycle {
    create_before_destroy = true
  }
}

resource "google_project_iam_member" "runtime" {
  for_each = var.project_roles

  project = var.project_id
  role    = each.value.role
  member  = var.runtime.member

  # Bounds the role to our database or data sets; the reason stands beside it.
  dynamic "condition" {
    for_each = each.value.expression == null ? [] : [each.value.expression]
    content {
      title       = substr("${var.function.name} ${each.value.permission}", 0, 100)
      description = substr(each.value.reason, 0, 256)
      expression  = condition.value
    }
  }
}

resource "google_storage_bucket_iam_member" "runtime" {
  for_each = var.bucket_roles

  bucket = each.value.bucket
  role   = each.value.role
  member = var.runtime.member
}

resource "google_pubsub_topic_iam_member" "publisher" {
  for_each = var.publishes

  project = var.project_id
  topic   = each.value
  role    = "roles/pubsub.publisher"
  member  = var.runtime.member
}

resource "google_cloud_tasks_queue_iam_member" "enqueuer" {
  for_each = var.enqueues

  project  = var.project_id
  location = var.region
  name     = each.value.queue
  role     = "roles/cloudtasks.enqueuer"
  member   = var.runtime.member
}

# A task carries the token of the account that delivers it; whoever creates the
# task must be allowed to name that account.
resource "google_service_account_iam_member" "enqueuer" {
  for_each = var.enqueues

  service_account_id = each.value.invoker
  role               = "roles/iam.serviceAccountUser"
  member             = var.runtime.member
}

# IAM signs links to files as the function's account, which has no key; the
# right is on that account alone.
resource "google_service_account_iam_member" "signer" {
  count = var.signs ? 1 : 0

  service_account_id = var.runtime.id
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = var.runtime.member
}

# Wrapping and unwrapping with that one key: no right to look at, turn or
# destroy it.
resource "google_kms_crypto_key_iam_member" "runtime" {
  for_each = var.kms_keys

  crypto_key_id = each.value
  role          = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  member        = var.runtime.member
}

resource "google_secret_manager_secret_iam_member" "runtime" {
  for_each = merge(var.secrets, { for name, file in var.secret_files : name => file.secret })

  project   = var.project_id
  secret_id = each.value
  role      = "roles/secretmanager.secretAccessor"
  member    = var.runtime.member
}

# Eventarc hands document changes over as this account.
resource "google_project_iam_member" "event_receiver" {
  count = var.document == null ? 0 : 1

  project = var.project_id
  role    = "roles/eventarc.eventReceiver"
  member  = var.document.invoker.member
}

resource "google_cloudfunctions2_function" "this" {
  project     = var.project_id
  location    = var.region
  name        = var.function.name
  description = var.function.summary
  labels = {
    domain = replace(var.function.domain, "_", "-")
    kind   = var.function.kind
  }

  build_config {
    runtime           = var.runtime_version
    entry_point       = var.function.entry_point
    docker_repository = var.build.repository
    service_account   = var.build.account

    source {
      storage_source {
        bucket = var.source_bucket
        object = google_storage_bucket_object.source.name
      }
    }
  }

  service_config {
    all_traffic_on_latest_revision   = !var.gradual
    available_cpu                    = local._cpu
    available_memory                 = "${var.function.memory}Mi"
    ingress_settings                 = var.ingress
    max_instance_count               = var.function.max_instances
    max_instance_request_concurrency = var.function.concurrency
    min_instance_count               = var.keep_warm ? var.function.min_instances : 0
    service_account_email            = var.runtime.email
    timeout_seconds                  = var.function.timeout
    vpc_connector                    = var.vpc_connector
    # Only Redis is in the network; Google's interfaces are reached directly.
    vpc_connector_egress_settings = var.vpc_connector == null ? null : "PRIVATE_RANGES_ONLY"

    environment_variables = merge(var.environment, {
      # The framework's own default is four threads, whatever Cloud Run sends.
      THREADS = tostring(var.function.concurrency)
    })

    dynamic "secret_environment_variables" {
      for_each = var.secrets
      content {
        key        = secret_environment_variables.key
        project_id = var.project_id
        secret     = secret_environment_variables.value
        version    = "latest"
      }
    }

    dynamic "secret_volumes" {
      for_each = var.secret_files
      content {
        mount_path = secret_volumes.value.directory
        project_id = var.project_id
        secret     = secret_volumes.value.secret

        versions {
          path    = secret_volumes.value.file
          version = "latest"
        }
      }
    }
  }

  dynamic "event_trigger" {
    for_each = var.document == null ? [] : [var.document]
    content {
      event_type = "google.cloud.firestore.document.v1.${event_trigger.value.change}"
      # Without it an event whose handler fails is dropped.
      retry_policy          = "RETRY_POLICY_RETRY"
      service_account_email = event_trigger.value.invoker.email
      # A trigger stands where the database stands, also in a multi-region.
      trigger_region = event_trigger.value.location

      event_filters {
        attribute = "database"
        value     = event_trigger.value.database
      }

      event_filters {
        attribute = "document"
        operator  = "match-path-pattern"
        value     = event_trigger.value.path
      }
    }
  }

  lifecycle {
    precondition {
      # The label of the address that Google derives from name and number.
      condition     = length("${var.function.name}-${var.project_number}") <= 63
      error_message = "${var.function.name}: the name is too long for an address of its own."
    }
    precondition {
      condition     = var.bundle.entry_point == var.function.entry_point
      error_message = "${var.function.name}: no bundle, or one older than the manifest; run nox -s bundle."
    }
  }

  # An instance that starts before its permissions exist fails its first calls,
  # and a revision that cannot read its secrets never starts.
  depends_on = [
    google_kms_crypto_key_iam_member.runtime,
    google_project_iam_member.event_receiver,
    google_project_iam_member.runtime,
    google_secret_manager_secret_iam_member.runtime,
  ]
}

# Second-generation functions are called as Cloud Run services: that is where
# the right to call one is given.
resource "google_cloud_run_v2_service_iam_member" "invoker" {
  for_each = var.invokers

  project  = var.project_id
  location = var.region
  name     = google_cloudfunctions2_function.this.name
  role     = "roles/run.invoker"
  member   = each.value
}
