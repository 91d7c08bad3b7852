//! What tests may rely on.

#![expect(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

use testkit::Database;

async fn names(db: &Database) -> Vec<String> {
    sqlx::query_scalar("select datname::text from pg_database").fetch_all(db.pool()).await.unwrap()
}

#[tokio::test]
async fn two_databases_share_nothing_but_the_migrations() {
    let (one, two) = tokio::join!(Database::fresh(), Database::fresh());
    sqlx::query("create table mine (id int)").execute(one.pool()).await.unwrap();
    let elsewhere = sqlx::query("select * from mine").fetch_all(two.pool()).await;
    assert!(elsewhere.is_err());
    let migrations = "select count(*) from _sqlx_migrations where success";
    let count: i64 = sqlx::query_scalar(migrations).fetch_one(two.pool()).await.unwrap();
    assert!(count > 0);
}

#[tokio::test]
async fn the_connection_string_leads_to_the_same_database() {
    let db = Database::fresh().await;
    sqlx::query("create table mine (id int)").execute(db.pool()).await.unwrap();
    let other = sqlx::PgPool::connect(&db.url()).await.unwrap();
    sqlx::query("insert into mine values (1)").execute(&other).await.unwrap();
}

#[tokio::test]
async fn a_dropped_database_is_gone() {
    let watching = Database::fresh().await;
    let gone = Database::fresh().await;
    let name: String = sqlx::query_scalar("select current_database()::text").fetch_one(gone.pool()).await.unwrap();
    assert!(names(&watching).await.contains(&name));
    drop(gone);
    assert!(!names(&watching).await.contains(&name));
}

#[tokio::test]
async fn a_durable_server_keeps_what_it_acknowledged_over_a_restart() {
    let server = testkit::durable_postgres().await;
    let pool = sqlx::PgPool::connect(&server.url()).await.unwrap();
    sqlx::raw_sql("create table mine as select 1 as id").execute(&pool).await.unwrap();
    server.restart().await.unwrap();
    let pool = sqlx::PgPool::connect(&server.socket_url().unwrap()).await.unwrap();
    let id: i32 = sqlx::query_scalar("select id from mine").fetch_one(&pool).await.unwrap();
    assert_eq!(id, 1);
    let setting =
        |name: &'static str| sqlx::query_scalar::<_, String>("select current_setting($1)").bind(name).fetch_one(&pool);
    assert_eq!(setting("fsync").await.unwrap(), "on");
    assert_eq!(setting("synchronous_commit").await.unwrap(), "on");
    assert_eq!(setting("jit").await.unwrap(), "off");
}
