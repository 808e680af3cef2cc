# A subscription after the apply, with made-up values for what Google computes:
# a plan shows names, this shows that they refer to what was really made.

mock_provider "google" {}

variables {
  dead_letter_consumers = {
    dead-letter-store = {
      email   = "store-inv@demo.iam.gserviceaccount.com"
      filter  = ""
      ordered = false
      retry   = { maximum = 600, minimum = 10 }
      timeout = 60
      url     = "https://store.example.com"
    }
  }
  environment           = "test"
  filter                = "attributes.kind = \"a\""
  invoker               = { email = "reader-inv@demo.iam.gserviceaccount.com", id = "projects/demo/serviceAccounts/reader-inv@demo.iam.gserviceaccount.com" }
  name                  = "demo-reader"
  notification_channels = ["projects/demo/notificationChannels/1"]
  ordered               = true
  project_id            = "demo-project"
  pubsub_agent          = "serviceAccount:service-1@gcp-sa-pubsub.iam.gserviceaccount.com"
  region                = "us-central1"
  retry                 = { attempts = 7, maximum = 300, minimum = 5 }
  timeout               = 5
  topic                 = "projects/demo-project/topics/demo-events"
  url                   = "https://reader.example.com"
}

# Prevents dead letters that go to a topic of another consumer, or nowhere.
run "dead_letters_are_kept" {
  command = apply

  module {
    source = "./modules/subscription"
  }

  assert {
    condition     = google_pubsub_subscription.this.dead_letter_policy[0].dead_letter_topic == google_pubsub_topic.dead_letter.id
    error_message = "Messages are set aside to another topic than the module makes."
  }
  assert {
    condition     = google_pubsub_subscription.dead_letter.topic == google_pubsub_topic.dead_letter.id
    error_message = "Nobody keeps what was set aside."
  }
  assert {
    condition = alltrue([
      for kept in concat([google_pubsub_subscription.this, google_pubsub_subscription.dead_letter], values(google_pubsub_subscription.dead_letter_store)) :
      kept.expiration_policy[0].ttl == ""
    ])
    error_message = "A subscription expires after an idle month."
  }
  assert {
    condition     = google_pubsub_topic_iam_member.dead_letter_publisher.topic == google_pubsub_topic.dead_letter.id
    error_message = "Pub/Sub may not publish dead letters."
  }
  assert {
    condition     = google_pubsub_subscription_iam_member.dead_letter_subscriber.subscription == google_pubsub_subscription.this.id
    error_message = "Pub/Sub may not acknowledge what it set aside."
  }
}

# Prevents deliveries that the function refuses, and redelivery while it works.
run "deliveries_are_authenticated" {
  command = apply

  module {
    source = "./modules/subscription"
  }

  assert {
    condition     = google_pubsub_subscription.this.push_config[0].oidc_token[0].service_account_email == var.invoker.email
    error_message = "Messages come from somebody else."
  }
  assert {
    condition     = google_pubsub_subscription.this.ack_deadline_seconds >= 10
    error_message = "Pub/Sub takes ten seconds at least."
  }
}

# Prevents an apply that Pub/Sub refuses half-way.
run "too_few_attempts_are_refused" {
  command = plan

  module {
    source = "./modules/subscription"
  }

  variables {
    retry = { attempts = 4, maximum = 300, minimum = 5 }
  }

  expect_failures = [var.retry]
}

# Prevents waits that Pub/Sub refuses.
run "waits_out_of_order_are_refused" {
  command = plan

  module {
    source = "./modules/subscription"
  }

  variables {
    retry = { attempts = 5, maximum = 5, minimum = 300 }
  }

  expect_failures = [var.retry]
}
